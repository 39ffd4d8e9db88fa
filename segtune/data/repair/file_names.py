"""File names as they are on disk."""

from __future__ import annotations

import posixpath
from typing import Any

from segtune.data.image_paths import ImageFolder
from segtune.data.repair.document import SplitDocument
from segtune.data.structure_rules import is_unicode


def repair_file_names(split: SplitDocument, folder: ImageFolder) -> None:
    """Replace every file name that leads nowhere by the one file that it can only mean."""
    for entry in split.entries("images"):
        name = entry.values.get("file_name")
        meant = name_on_disk(name, folder)
        if meant is not None and meant != name:
            split.set(entry, "file_name", meant, "file-name")


def name_on_disk(name: Any, folder: ImageFolder) -> str | None:
    """Return the path of a named file below the image folder; None when there is none.

    Back-slashes, "." and empty parts, the name of the image folder in front, case, and the
    encoding of accents are overcome; so is an absolute path through a folder of that name.
    """
    if not isinstance(name, str) or not name or "\0" in name or not is_unicode(name):
        return None
    if not _is_absolute(name):
        return _below(name, folder)
    slashed = name.replace("\\", "/")
    parts = slashed.split("/")
    here = posixpath.normpath(slashed)
    root = folder.root.absolute().as_posix()
    if here.startswith(f"{root}/"):
        return _below(here.removeprefix(f"{root}/"), folder)
    # Written on another machine or before the dataset moved: what follows the last such folder.
    above = [index for index, part in enumerate(parts[:-1]) if part == folder.root.absolute().name]
    return _below("/".join(parts[above[-1] + 1 :]), folder) if above else None


def _is_absolute(name: str) -> bool:
    return name.startswith(("/", "\\\\")) or name[1:2] == ":"


def _below(name: str, folder: ImageFolder) -> str | None:
    plain = posixpath.normpath(name)
    if _leaves(plain):
        return None
    if folder.has(plain):
        return plain
    meant = folder.diagnose(plain)
    if meant is None:
        return None
    found = posixpath.normpath(meant[1])
    return None if _leaves(found) else found


def _leaves(plain: str) -> bool:
    return plain == ".." or plain.startswith(("../", "/"))
