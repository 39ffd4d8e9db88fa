"""What a split consists of, counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segtune.data.coco import CocoDataset

# Limits of pycocotools' COCOeval, which names AP_small, AP_medium and AP_large by them.
_SMALL_BELOW_PX = 32**2
_MEDIUM_BELOW_PX = 96**2


@dataclass(frozen=True)
class SplitStatistics:
    """Counts over the sound entries of one split."""

    num_images: int
    num_instances: int
    num_background_images: int
    """Images without any instance."""
    num_crowds: int
    """Instances marked as crowd, which are not trained on."""
    instances_per_class: dict[str, int]
    """By class name, in label order, zeros included."""
    instances_per_image: dict[int, int]
    """Number of images by their number of instances, ascending."""
    instances_per_size: dict[str, int]
    """By mask area: small below 32 x 32 pixels, medium below 96 x 96, large."""

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return asdict(self)


def count(dataset: CocoDataset) -> SplitStatistics:
    """Return the statistics of a split."""
    table = dataset.table
    per_label = np.bincount(table.labels, minlength=len(dataset.categories)).tolist()
    numbers, num_images = np.unique(np.diff(table.image_starts), return_counts=True)
    per_image = dict(zip(numbers.tolist(), num_images.tolist(), strict=True))
    num_small = int((table.areas < _SMALL_BELOW_PX).sum())
    num_large = int((table.areas >= _MEDIUM_BELOW_PX).sum())
    return SplitStatistics(
        num_images=len(dataset.images),
        num_instances=len(table),
        num_background_images=per_image.get(0, 0),
        num_crowds=int(table.is_crowd.sum()),
        instances_per_class={
            category.name: per_label[category.label] for category in dataset.categories
        },
        instances_per_image=per_image,
        instances_per_size={
            "small": num_small,
            "medium": len(table) - num_small - num_large,
            "large": num_large,
        },
    )
