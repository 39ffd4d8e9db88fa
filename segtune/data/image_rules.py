"""Image files that are there under their stated name, can be decoded, and have the stated size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import compress
from pathlib import Path

from segtune.data.findings import FindingLog, quote
from segtune.data.image_cache import ImageFactsCache
from segtune.data.image_facts import ImageFacts, read_facts
from segtune.data.image_paths import ImageFolder, normalised
from segtune.data.structure_rules import ImageEntry
from segtune.progress import Reporter

_Fault = tuple[str, str, str]
"""Code, field of the image entry with its dot, and detail."""


def inspect_images(
    folder: ImageFolder,
    cache: ImageFactsCache | None,
    entries: Sequence[ImageEntry],
    log: FindingLog,
    *,
    reporter: Reporter,
) -> list[ImageFacts | None]:
    """Return what the image files hold, after noting each that cannot be used as its entry says.

    Args:
        folder: What file names are relative to.
        cache: Spares decoding what has not changed since; None decodes every file.
        entries: The images; an image has None in its place when its file cannot be decoded.
        log: Where faults are noted.
        reporter: Shown how many images are done.
    """
    _note_repeated_names(entries, log)
    path_faults = [_path_fault(entry, folder) for entry in entries]
    is_there = [fault is None or fault[0] == "image-path-lenient" for fault in path_faults]
    # An entry may repeat another's file, which is decoded once.
    paths = list(dict.fromkeys(compress((entry.path for entry in entries), is_there)))
    known: dict[Path, ImageFacts | _Fault] = {}
    # Threads suffice: decoding and hashing release the interpreter lock.
    with (
        reporter.task("Decoding images", total=len(paths)) as task,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for path, found in zip(paths, pool.map(partial(_decode, cache), paths), strict=True):
            known[path] = found
            task.advance()
    if cache is not None:
        cache.save(reporter)
    facts: list[ImageFacts | None] = []
    for entry, path_fault in zip(entries, path_faults, strict=True):
        looked = known.get(entry.path)
        facts.append(looked if isinstance(looked, ImageFacts) else None)
        for fault in (path_fault, _size_fault(entry, looked)):
            if fault is not None:
                code, field, detail = fault
                log.add(code, f"{entry.pointer}{field}", detail)
    return facts


def _note_repeated_names(entries: Sequence[ImageEntry], log: FindingLog) -> None:
    seen: dict[str, ImageEntry] = {}
    for entry in entries:
        earlier = seen.setdefault(normalised(entry.file_name), entry)
        if earlier is not entry:
            detail = f"{quote(entry.file_name)}, as {earlier.pointer}"
            log.add("image-name-duplicate", f"{entry.pointer}.file_name", detail)


def _path_fault(entry: ImageEntry, folder: ImageFolder) -> _Fault | None:
    """Return what is wrong with a file_name that is not on disk exactly as stated."""
    if folder.has(entry.file_name):
        # On Windows a back-slash leads into a folder, elsewhere it is a letter like any other.
        slashed = "\\" in entry.file_name
        return ("image-path-lenient", ".file_name", quote(entry.file_name)) if slashed else None
    meant = folder.diagnose(entry.file_name)
    try:
        opens = entry.path.is_file()
    except OSError as error:  # a name too long
        return "image-unreadable", ".file_name", error.strerror or str(error)
    if meant is None:
        return None if opens else ("image-missing", ".file_name", f"no {entry.path}")
    code, name = meant
    detail = f"{quote(entry.file_name)}, on disk {quote(name)}"
    return "image-path-lenient" if opens else code, ".file_name", detail


def _decode(cache: ImageFactsCache | None, path: Path) -> ImageFacts | _Fault:
    """Return what a file holds, or why it cannot be told."""
    try:
        facts = _facts(path, cache)
    except OSError as error:  # a folder that may not be entered
        return "image-unreadable", ".file_name", error.strerror or str(error)
    if facts is None:
        return "image-empty", ".file_name", str(path)
    if facts.fault:
        return "image-unreadable", ".file_name", f"{facts.fault} ({path})"
    return facts


def _size_fault(entry: ImageEntry, looked: ImageFacts | _Fault | None) -> _Fault | None:
    """Return what is wrong with the size of a picture, or with its file if that holds none."""
    if not isinstance(looked, ImageFacts):
        return looked
    stated, actual = (entry.width, entry.height), (looked.width, looked.height)
    if stated == actual or is_stated_as_stored(entry, looked):
        return None
    detail = (
        f"stated {entry.width} x {entry.height}, is {looked.width} x {looked.height} "
        f"({entry.path.name})"
    )
    return "image-size", "", detail


def is_stated_as_stored(entry: ImageEntry, facts: ImageFacts) -> bool:
    """Return whether an entry has the size of a picture before EXIF lays it on its other side."""
    swapped = (entry.width, entry.height) == (facts.height, facts.width)
    return facts.is_turned_on_side and swapped and facts.width != facts.height


def _facts(path: Path, cache: ImageFactsCache | None) -> ImageFacts | None:
    """Return what a file holds, from the cache if it has not changed; None for zero bytes."""
    state = path.stat()
    if state.st_size == 0:
        return None
    key = (path, state.st_size, state.st_mtime_ns)
    known = None if cache is None else cache.find(*key)
    if known is not None:
        return known
    facts = read_facts(path)
    if cache is not None:
        cache.keep(*key, facts)
    return facts
