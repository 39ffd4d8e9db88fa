"""Image files that are there, can be decoded, and have the stated size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from segtune import images
from segtune.data.findings import FindingLog
from segtune.data.structure_rules import ImageEntry
from segtune.errors import ImageError
from segtune.progress import Reporter


@dataclass(frozen=True)
class _Fault:
    code: str
    field: str
    """Of the image entry, with its dot; empty for the entry as a whole."""
    detail: str


def check_image_files(
    entries: Sequence[ImageEntry], log: FindingLog, *, reporter: Reporter
) -> None:
    """Note every image that is missing, cannot be decoded whole, or differs from its entry."""
    # Threads suffice: decoding releases the interpreter lock.
    with (
        reporter.task("Decoding images", total=len(entries)) as task,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for entry, fault in zip(entries, pool.map(_fault, entries), strict=True):
            if fault is not None:
                log.add(fault.code, f"{entry.pointer}{fault.field}", fault.detail)
            task.advance()


def _fault(entry: ImageEntry) -> _Fault | None:
    try:
        if not entry.path.is_file():
            return _Fault("image-missing", ".file_name", f"no {entry.path}")
        if entry.path.stat().st_size == 0:
            return _Fault("image-empty", ".file_name", str(entry.path))
        height, width = images.read_image(entry.path).shape[:2]
    except OSError as error:  # a name too long, a folder that may not be entered
        return _Fault("image-unreadable", ".file_name", error.strerror or str(error))
    except ImageError as error:
        return _Fault("image-unreadable", ".file_name", f"{error.problem} ({entry.path})")
    if (height, width) == (entry.height, entry.width):
        return None
    sizes = f"stated {entry.width} x {entry.height}, is {width} x {height} ({entry.path.name})"
    if (width, height) == (entry.height, entry.width) == _size_as_stored(entry.path):
        return _Fault("image-size-exif", "", sizes)
    return _Fault("image-size", "", sizes)


def _size_as_stored(path: Path) -> tuple[int, int]:
    """Return height and width without EXIF rotation."""
    with Image.open(path) as picture:
        return (picture.height, picture.width)
