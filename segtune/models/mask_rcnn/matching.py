"""Which boxes stand for which labelled instance, and which for background.

Shapes: N images, G instances of the fullest image, C candidate boxes of each image.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
from paddle import Tensor

from segtune.models.box_ops import pairwise_iou
from segtune.models.segmenter import Targets


@dataclass(frozen=True)
class Matches:
    """What candidates were matched with; one that is neither foreground nor background is void."""

    is_foreground: Tensor  # (N, C) bool
    is_background: Tensor  # (N, C) bool
    instances: Tensor  # (N, C) int64, that with the largest overlap, whatever it is


def match(
    candidates: Tensor,
    targets: Targets,
    *,
    foreground_iou: float,
    background_iou: float,
    keep_best: bool = False,
) -> Matches:
    """Match boxes by their largest overlap with an instance.

    Args:
        candidates: Boxes (N, C, 4), xyxy in pixels of the network input.
        targets: With at least one row, which may be padding.
        foreground_iou: From this overlap on a candidate is foreground.
        background_iou: Below this overlap it is background.
        keep_best: Whether the candidates that overlap an instance most are foreground as well,
            all of them where several do so equally. What they are matched with does not change.
    """
    overlaps = pairwise_iou(targets.boxes, candidates)  # (N, G, C)
    overlaps = overlaps * targets.valid.astype(overlaps.dtype).unsqueeze(2)
    largest, instances = overlaps.max(axis=1), overlaps.argmax(axis=1)
    is_foreground = largest >= foreground_iou
    if keep_best:
        best = overlaps.max(axis=2, keepdim=True)  # (N, G, 1)
        is_foreground |= ((overlaps == best) & (best > 0)).any(axis=1)
    return Matches(is_foreground, (largest < background_iou) & ~is_foreground, instances)


def with_a_row(targets: Targets) -> Targets:
    """Return targets with a row of padding where no image of the batch has an instance."""
    if targets.valid.shape[1] > 0:
        return targets
    num_images = targets.valid.shape[0]
    return Targets(
        boxes=paddle.zeros([num_images, 1, 4]),
        labels=paddle.zeros([num_images, 1], "int64"),
        masks=paddle.zeros([num_images, 1, *targets.masks.shape[2:]], "uint8"),
        valid=paddle.zeros([num_images, 1], "bool"),
        sizes_hw=targets.sizes_hw,
    )
