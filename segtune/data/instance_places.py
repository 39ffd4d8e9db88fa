"""Where in its annotation file an instance stands."""

from __future__ import annotations

from segtune.data.coco import CocoDataset


def place_of(dataset: CocoDataset, row: int) -> str:
    """Return the place of an instance, given by its row in `dataset.table`."""
    return f"annotations[{dataset.table.entries[row]}]"


def ring_place(dataset: CocoDataset, row: int, ring: int) -> str:
    """Return the place of a ring, given by its number among those of the split."""
    number = ring - int(dataset.table.first_rings[row])
    return f"{place_of(dataset, row)}.segmentation[{number}]"


def image_name(dataset: CocoDataset, row: int) -> str:
    """Return the file name, without folders, of the image that an instance is on."""
    image = int(dataset.table.image_starts.searchsorted(row, side="right")) - 1
    return dataset.images[image].path.name
