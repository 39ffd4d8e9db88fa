"""Image files that are there under their stated name, can be decoded, and have the stated size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
    paths = [_path_fault(entry, folder) for entry in entries]
    facts: list[ImageFacts | None] = []
    # Threads suffice: decoding and hashing release the interpreter lock.
    with (
        reporter.task("Decoding images", total=len(entries)) as task,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        looked = pool.map(partial(_inspect, cache), entries, paths)
        for entry, (found, faults) in zip(entries, looked, strict=True):
            facts.append(found)
            for code, field, detail in faults:
                log.add(code, f"{entry.pointer}{field}", detail)
            task.advance()
    if cache is not None:
        cache.save(reporter)
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


def _inspect(
    cache: ImageFactsCache | None, entry: ImageEntry, path_fault: _Fault | None
) -> tuple[ImageFacts | None, list[_Fault]]:
    faults = [] if path_fault is None else [path_fault]
    if path_fault is not None and path_fault[0] != "image-path-lenient":
        return None, faults
    try:
        facts = _facts(entry.path, cache)
    except OSError as error:  # a folder that may not be entered
        return None, [*faults, ("image-unreadable", ".file_name", error.strerror or str(error))]
    if facts is None:
        return None, [*faults, ("image-empty", ".file_name", str(entry.path))]
    if facts.fault:
        detail = f"{facts.fault} ({entry.path})"
        return None, [*faults, ("image-unreadable", ".file_name", detail)]
    stated, actual = (entry.width, entry.height), (facts.width, facts.height)
    if stated != actual and not is_stated_as_stored(entry, facts):
        detail = (
            f"stated {entry.width} x {entry.height}, is {facts.width} x {facts.height} "
            f"({entry.path.name})"
        )
        faults.append(("image-size", "", detail))
    return facts, faults


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
