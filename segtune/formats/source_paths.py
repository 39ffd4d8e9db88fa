"""Files that a dataset names, looked up inside the dataset's folder and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from segtune.errors import OutputError
from segtune.formats.annotated import Split, split_of_word
from segtune.images import IMAGE_SUFFIXES


def as_parts(name: str) -> tuple[str, ...]:
    r"""Return the parts of a path as a file states it.

    Back-slashes count as slashes. Of an absolute path, `/home/me/a.jpg` or `C:\data\a.jpg`, only
    the last part is left: the folders are those of another machine.
    """
    text = name.replace("\\", "/")
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    is_absolute = text.startswith("/") or text[1:2] == ":"
    return parts[-1:] if is_absolute else parts


def refuse_inside(output: Path, source: Path) -> None:
    """Raise OutputError for an output inside its own source, where it would be read next time."""
    if source.is_dir() and output != source and is_inside(source, output):
        raise OutputError(
            f"{output} lies inside {source}",
            where=str(output),
            remedy="choose a folder beside the source",
        )


def clean_name(name: str) -> str:
    """Return a `file_name` as it stands below a new folder of images, with slashes.

    `..` is taken out, and folders called `images` are: PaddleX takes any such folder for the
    root of all pictures.
    """
    *folders, last = as_parts(name)
    return "/".join([*(one for one in folders if one != ".." and one.lower() != "images"), last])


def find_inside(root: Path, name: str, folders: Iterable[Path]) -> Path | None:
    """Return the file that `name` means, or None.

    Args:
        root: Nothing outside this folder is looked at.
        name: A path as a file states it.
        folders: Where it may start from; the first that has it counts. Where none has it, its
            last part alone is tried in each.
    """
    parts = as_parts(name)
    if not parts or "\0" in name:
        return None
    folders = list(folders)
    for tried in dict.fromkeys((parts, parts[-1:])):
        for folder in folders:
            path = Path(os.path.normpath(folder.joinpath(*tried)))
            if is_inside(root, path) and _is_file(path):
                return path
    return None


def is_inside(root: Path, path: Path) -> bool:
    """Whether a path, with its `..` taken out, lies in the folder `root`."""
    absolute = Path(os.path.normpath(path.absolute()))
    return absolute.is_relative_to(os.path.normpath(root.absolute()))


def relative_name(root: Path, path: Path) -> str:
    """Return what a picture below `root` is called in a dataset."""
    relative = os.path.relpath(path.absolute(), root.absolute())
    return clean_name(Path(relative).as_posix())


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures directly in a folder, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def files_below(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield the files of a suffix in a folder and all below, sorted, without hidden ones."""
    for path in sorted(folder.rglob(f"*{suffix}")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield path


def split_of_folder(root: Path, path: Path) -> Split | None:
    """Return the split that the uppermost folder of `path` below `root` is called after."""
    parts = path.relative_to(root).parts[:-1]
    return split_of_word(parts[0]) if parts else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or half of a pair of surrogates in it
        return False
