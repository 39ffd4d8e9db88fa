"""An id of its own for every annotation."""

from __future__ import annotations

from segtune.data.repair.document import SplitDocument

_ROOM_ABOVE = 2**62  # leaves more new ids than any file has entries


def repair_annotation_ids(split: SplitDocument) -> None:
    """Give every annotation whose id is missing, no number or taken one above the largest."""
    entries = list(split.entries("annotations"))
    ids = [entry.whole("id") for entry in entries]
    below = (number for number in ids if number is not None and number < _ROOM_ABOVE)
    following = max(below, default=0) + 1
    following = max(following, 1)
    taken: set[int] = set()
    for entry, own_id in zip(entries, ids, strict=True):
        if own_id is not None and own_id not in taken:
            taken.add(own_id)
            continue
        split.set(entry, "id", following, "annotation-id")
        following += 1
