"""What a split consists of, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

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
    instances = [instance for image in dataset.images for instance in image.instances]
    per_label = Counter(instance.label for instance in instances)
    per_image = Counter(len(image.instances) for image in dataset.images)
    per_size = Counter(_size_name(instance.area) for instance in instances)
    return SplitStatistics(
        num_images=len(dataset.images),
        num_instances=len(instances),
        num_background_images=per_image[0],
        num_crowds=sum(instance.is_crowd for instance in instances),
        instances_per_class={
            category.name: per_label[category.label] for category in dataset.categories
        },
        instances_per_image={number: per_image[number] for number in sorted(per_image)},
        instances_per_size={name: per_size[name] for name in ("small", "medium", "large")},
    )


def _size_name(area_px: float) -> str:
    if area_px < _SMALL_BELOW_PX:
        return "small"
    return "medium" if area_px < _MEDIUM_BELOW_PX else "large"
