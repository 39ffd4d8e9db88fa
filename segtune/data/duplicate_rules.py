"""Objects that are annotated twice.

Shapes: n instances, p pairs of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtune import boxes, masks
from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog
from segtune.data.instance_places import image_name, place_of
from segtune.masks import Rle

_SAME_MASK = 0.9  # IoU
_SAME_BOX = 0.7  # IoU below which masks are not looked at


def check_duplicates(dataset: CocoDataset, log: FindingLog) -> None:
    """Note every instance whose image has an equal or nearly equal one before it."""
    repeated = _repeated(dataset, log)
    rows = np.flatnonzero(~repeated & ~dataset.table.is_crowd)
    _note_similar(dataset, rows, log)


def _repeated(dataset: CocoDataset, log: FindingLog) -> NDArray[np.bool_]:
    """Note and return which instances (n,) have the mask and class of an earlier one."""
    table = dataset.table
    repeated = np.zeros(len(table), bool)
    keys = np.column_stack([table.image_rows(), table.boxes])  # (n, 5)
    order = np.lexsort(keys.T)
    equals_next = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    candidates = np.unique(np.concatenate([order[:-1][equals_next], order[1:][equals_next]]))
    seen: dict[tuple[int, int, str], int] = {}
    images = table.image_rows()
    for row in candidates.tolist():
        key = (int(images[row]), int(table.labels[row]), repr(table.segmentation(row)))
        earlier = seen.setdefault(key, row)
        if earlier != row:
            repeated[row] = True
            log.add("instance-duplicate", place_of(dataset, row), _same_as(dataset, row, earlier))
    return repeated


def _note_similar(dataset: CocoDataset, rows: NDArray[np.int64], log: FindingLog) -> None:
    table = dataset.table
    known: dict[int, Rle] = {}
    noted: set[int] = set()
    for pairs in _pairs_by_box(dataset, rows):
        for one, other in np.sort(pairs, axis=1).tolist():
            if other in noted:  # once is enough, also where dozens lie on each other
                continue
            first, second = (_rle(dataset, row, known) for row in (one, other))
            if coco_mask.iou([first], [second], [0])[0, 0] <= _SAME_MASK:
                continue
            noted.add(other)
            same_class = table.labels[one] == table.labels[other]
            code = "instance-similar" if same_class else "instance-two-classes"
            log.add(code, place_of(dataset, other), _same_as(dataset, other, one))


def _pairs_by_box(dataset: CocoDataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield pairs (p, 2) of instances of one image whose boxes have an IoU of 0.7.

    Boxes are sorted by their left side. One that starts more than 30 % of the first one's width
    further right cannot overlap it so much, nor can any after it.
    """
    table = dataset.table
    images = table.image_rows()
    rows = rows[np.lexsort([table.boxes[rows, 0], images[rows]])]
    left = np.arange(len(rows))  # positions that may still have partners
    step = 0
    while len(left):
        step += 1
        left = left[left + step < len(rows)]
        first, second = rows[left], rows[left + step]
        starts = table.boxes[second, 0] - table.boxes[first, 0]
        widths = table.boxes[first, 2] - table.boxes[first, 0]
        near = (images[first] == images[second]) & (starts <= (1 - _SAME_BOX) * widths)
        left, first, second = left[near], first[near], second[near]
        alike = _pair_iou(table.boxes[first], table.boxes[second]) > _SAME_BOX
        yield np.stack([first[alike], second[alike]], axis=1)


def _pair_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU (p,) of boxes (p, 4) with boxes (p, 4), row by row."""
    corners = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    shared = boxes.areas(np.concatenate(corners, axis=1))
    return np.asarray(shared / (boxes.areas(first) + boxes.areas(second) - shared))


def _rle(dataset: CocoDataset, row: int, known: dict[int, Rle]) -> Rle:
    if row not in known:
        table = dataset.table
        image = int(table.image_starts.searchsorted(row, side="right")) - 1
        known[row] = masks.to_rle(table.segmentation(row), dataset.images[image].size_hw)
    return known[row]


def _same_as(dataset: CocoDataset, row: int, earlier: int) -> str:
    name = dataset.categories[int(dataset.table.labels[earlier])].name
    return f"as {place_of(dataset, earlier)}, {name!r}, on {image_name(dataset, row)}"
