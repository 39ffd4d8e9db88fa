"""What the mask head learns, and from which regions.

Shapes: N images, G instances of the fullest image, h x w network input, S regions of each image,
F foreground regions of all images, M x M mask inside a box.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from segtune.models.mask_rcnn.labelled_rois import LabelledRois
from segtune.models.segmenter import Targets


class ForegroundRois(NamedTuple):
    """The regions that show an instance, image after image; where none does, one without weight."""

    boxes: Tensor  # (F, 4)
    counts: Tensor  # (N,) int32, of each image
    labels: Tensor  # (F,) int64
    masks: Tensor  # (F,) int64, number of its mask among the N * G of a batch
    weight: float  # 0 where no region shows an instance, else 1


def foreground_of(rois: LabelledRois, targets: Targets) -> ForegroundRois:
    """Return the regions that the mask head learns from."""
    counts = rois.is_foreground.astype("int32").sum(axis=1).astype("int32")
    has_any = bool(rois.is_foreground.any())
    if not has_any:
        counts[0] = 1
    rows = paddle.nonzero(rois.is_foreground.flatten()).flatten() if has_any else _first()
    images = rows // rois.labels.shape[1]
    num_instances = targets.labels.shape[1]
    return ForegroundRois(
        paddle.gather(rois.boxes.flatten(0, 1), rows),
        counts,
        paddle.gather(rois.labels.flatten(), rows) if has_any else _first(),
        images * num_instances + paddle.gather(rois.instances.flatten(), rows),
        float(has_any),
    )


def mask_loss(logits: Tensor, rois: ForegroundRois, targets: Targets) -> Tensor:
    """Return the mean cross-entropy of the cells of mask logits (F, M, M).

    An image without foreground counts as a region that is right everywhere, as upstream has it.
    """
    wanted = cells_in_boxes(targets.masks, rois.masks, rois.boxes, logits.shape[1])
    total = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
    num_regions = rois.counts.clip(min=1).sum().astype("float32")
    return rois.weight * total / (num_regions * logits.shape[1] ** 2)


def cells_in_boxes(masks: Tensor, numbers: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return masks at the centres of M x M cells inside boxes, float32 (F, M, M).

    Args:
        masks: (N, G, h, w) uint8.
        numbers: Of the mask of each box among the N * G, (F,) int64.
        boxes: (F, 4), xyxy in pixels of the masks.
        size: M.
    """
    height, width = masks.shape[2:]
    shares = (paddle.arange(size, dtype="float32") + 0.5) / size  # (M,)
    x1, y1, x2, y2 = (side.unsqueeze(1) for side in paddle.unstack(boxes, axis=1))  # (F, 1)
    columns = (x1 + shares * (x2 - x1)).floor().clip(0, width - 1).astype("int64")  # (F, M)
    rows = (y1 + shares * (y2 - y1)).floor().clip(0, height - 1).astype("int64")
    lines = numbers.unsqueeze(1) * height + rows  # (F, M), of all masks one below the other
    pixels = lines.unsqueeze(2) * width + columns.unsqueeze(1)  # (F, M, M)
    found = paddle.gather(masks.flatten(), pixels.flatten())
    return found.reshape(pixels.shape).astype("float32")


def _first() -> Tensor:
    return paddle.zeros([1], "int64")
