"""The labelled instances of a batch as matching, denoising and losses want them.

Shapes: N images, G instances of the fullest image, I instances of all images, h x w input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
from paddle import Tensor

from segtune.models.segmenter import Targets


@dataclass(frozen=True)
class UnitTargets:
    """Labelled instances whose boxes are parts of the image.

    Attributes:
        boxes: (N, G, 4) centre and size in 0..1.
        labels: (N, G) int64.
        masks: (N, G, h, w) uint8, at the size of the input.
        valid: (N, G) bool; false where a row fills up, which it does after the last instance.
        counts: Instances of each image; G is the largest of them.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    valid: Tensor
    counts: list[int]

    @property
    def num_instances(self) -> int:
        """I."""
        return sum(self.counts)


def to_unit(targets: Targets, size_hw: tuple[int, int]) -> UnitTargets:
    """Return the targets of a batch without columns that are padding in all images."""
    counts = targets.valid.astype("int64").sum(axis=1).numpy().astype(int).tolist()
    most = max(counts, default=0)
    height, width = size_hw
    corners = targets.boxes[:, :most] / paddle.to_tensor(
        np.asarray([width, height, width, height], np.float32)
    )
    return UnitTargets(
        to_centre_size(corners),
        targets.labels[:, :most],
        targets.masks[:, :most],
        targets.valid[:, :most],
        counts,
    )


def to_centre_size(corners: Tensor) -> Tensor:
    """Return centre and size (..., 4) of xyxy boxes (..., 4)."""
    low, high = paddle.split(corners, 2, axis=-1)
    return paddle.concat([(low + high) / 2, high - low], axis=-1)


def to_corners(boxes: Tensor) -> Tensor:
    """Return the xyxy corners (..., 4) of boxes as centre and size (..., 4)."""
    centre, size = paddle.split(boxes, 2, axis=-1)
    return paddle.concat([centre - size / 2, centre + size / 2], axis=-1)
