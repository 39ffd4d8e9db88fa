"""Entries that are there twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any

from segtune.data.repair.document import Entry, Section, SplitDocument
from segtune.data.repair.masks_of_entries import UsableMask


def drop_equal_entries(split: SplitDocument, section: Section, repair: str) -> None:
    """Remove every entry of a list that equals, key by key, an earlier one with the same id."""
    kept: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in split.entries(section):
        own_id = entry.whole("id")
        if own_id is None:
            continue
        if entry.values in kept[own_id]:
            split.drop(entry, repair)
        else:
            kept[own_id].append(entry.values)


def join_images(split: SplitDocument) -> None:
    """Leave one entry of every file that has several of equal size; annotations move to it."""
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    uses: dict[int, int] = defaultdict(int)
    for entry in split.entries("images"):
        name, own_id = entry.values.get("file_name"), entry.whole("id")
        if own_id is None:
            continue
        uses[own_id] += 1
        if isinstance(name, str) and name and entry.size_hw is not None:
            groups[name, entry.size_hw].append(entry)
    moves: dict[int, int] = {}
    for first, *others in groups.values():
        for other in others:
            same_id = other.values["id"] == first.values["id"]
            # An id that a further image has as well says nothing of what is on this one.
            if same_id or (uses[other.values["id"]] == 1 and uses[first.values["id"]] == 1):
                moves[other.values["id"]] = first.values["id"]
                split.drop(other, "image-joined")
    for entry in split.entries("annotations"):
        image_id = entry.whole("image_id")
        if image_id is not None and moves.get(image_id, image_id) != image_id:
            split.set(entry, "image_id", moves[image_id], "image-moved")


def drop_equal_annotations(
    split: SplitDocument, measured: Iterable[tuple[Entry, UsableMask]]
) -> None:
    """Remove every annotation that has image, category, crowd mark and mask of an earlier one."""
    kept: dict[Hashable, list[Any]] = defaultdict(list)
    for entry, mask in measured:
        values = entry.values
        if entry.whole("category_id") is None:
            continue
        crowd = repr(values.get("iscrowd"))
        key = (values["image_id"], values["category_id"], crowd, mask.box, mask.enclosed_px)
        if values["segmentation"] in kept[key]:
            split.drop(entry, "annotation-repeated")
        else:
            kept[key].append(values["segmentation"])
