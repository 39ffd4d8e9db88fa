"""Images with more instances than models learn from, return, or are measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog, quote
from segtune.data.structure_rules import ImageEntry

# Queries of Mask-RT-DETR and rows of PP-YOLOE_seg. Up to here all can be learnt from, although
# Mask-RT-DETR returns the best 100.
MAX_INSTANCES = 300
MAX_COUNTED = 100
"""Of an image and class by COCO's AP."""


def check_crowding(dataset: CocoDataset, entries: Sequence[ImageEntry], log: FindingLog) -> None:
    """Note images with too many instances, crowds aside; `entries` are those of its images."""
    table = dataset.table
    images, labels = table.image_rows()[~table.is_crowd], table.labels[~table.is_crowd]
    numbers = np.bincount(images, minlength=len(entries))
    for image in np.flatnonzero(numbers > MAX_INSTANCES).tolist():
        name = entries[image].path.name
        detail = f"{numbers[image]} instances, more than {MAX_INSTANCES} ({name})"
        log.add("image-overfull", entries[image].pointer, detail)
    num_classes = len(dataset.categories)
    keys, numbers = np.unique(images * num_classes + labels, return_counts=True)
    for key, number in zip(
        keys[numbers > MAX_COUNTED], numbers[numbers > MAX_COUNTED], strict=True
    ):
        image, label = divmod(int(key), num_classes)
        name = quote(dataset.categories[label].name)
        detail = f"{number} of {name} ({entries[image].path.name})"
        log.add("image-uncounted", entries[image].pointer, detail)
