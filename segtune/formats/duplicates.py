"""Pictures that are the same, byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from segtune.progress import Reporter


def identical_files(paths: Sequence[Path], *, reporter: Reporter) -> list[list[int]]:
    """Return the places in `paths` of files with the same content, in groups of two or more.

    Only files of one size are read. One file that is named twice is the same as itself.
    """
    by_size: dict[int, list[int]] = {}
    for place, path in enumerate(paths):
        by_size.setdefault(path.stat().st_size, []).append(place)
    candidates = [place for places in by_size.values() if len(places) > 1 for place in places]
    if not candidates:
        return []
    by_content: dict[tuple[int, str], list[int]] = {}
    with reporter.task("comparing images", len(candidates)) as task:
        for place in candidates:
            content = paths[place].read_bytes()
            key = (len(content), hashlib.sha256(content).hexdigest())
            by_content.setdefault(key, []).append(place)
            task.advance()
    return [sorted(places) for places in by_content.values() if len(places) > 1]
