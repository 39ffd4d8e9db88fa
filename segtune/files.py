"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segtune.errors import OutputError


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`: beside it first, synced to disk, then renamed into place.

    Raises:
        OutputError: The place cannot be written to; nothing is left behind.
    """
    with atomic_path(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Put UTF-8 `content` at `path`, whole or not at all. Raises OutputError."""
    write_bytes(path, content.encode("utf-8"))


@contextmanager
def atomic_path(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Yield a path beside `path` to write a file to; it becomes `path` when the block ends well.

    Args:
        path: The file to be.
        suffix: Ending of the path beside it, for writers that choose their format by it.

    Raises:
        OutputError: The folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from error
    beside = Path(name)
    try:
        yield beside
        _sync(beside)
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `path` that becomes `path` when the block ends well.

    Args:
        path: The folder to make.
        replace: Whether an existing folder at `path` gives way to the new one.

    Raises:
        OutputError: `path` exists and may not be replaced, or cannot be written to.
    """
    if path.exists() and not replace:
        raise _taken(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield beside
        for file in beside.rglob("*"):
            _sync(file)
        beside.chmod(0o777 & ~_umask())
        if path.exists() and not replace:  # made by another process in the meantime
            raise _taken(path)
        _swap(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    """Rename `new` to `path`, moving a folder that is there out of the way first."""
    if not path.exists():
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    path.rename(old / "was")
    try:
        new.rename(path)
    except OSError:
        (old / "was").rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    with suppress(IsADirectoryError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _taken(path: Path) -> OutputError:
    return OutputError(
        f"{path} exists already",
        where=str(path),
        remedy="choose another folder, or remove this one yourself",
    )


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        where=str(path),
        remedy="check free space and permissions, or choose another place",
    )
