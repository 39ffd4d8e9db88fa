"""Which points learn which instance.

Shapes: N images, G instances of the fullest image, L points, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor

from segtune.models.box_ops import pairwise_iou, side_distances
from segtune.models.segmenter import Targets

EPSILON = 1e-9


class Assignment(NamedTuple):
    """For every point: does it learn an instance, which one, and how well it should score."""

    positive: Tensor  # (N, L) bool
    instance: Tensor  # (N, L) int64, row of the image's targets; 0 where not positive
    quality: Tensor  # (N, L) float32, 0..1; 0 where not positive


@paddle.no_grad()
def assign_by_alignment(
    scores: Tensor,
    boxes: Tensor,
    points: Tensor,
    targets: Targets,
    *,
    num_candidates: int = 13,
    score_power: float = 1.0,
    iou_power: float = 6.0,
) -> Assignment:
    """Give each instance the points inside its box that score it and box it best.

    Task-aligned assignment, https://arxiv.org/abs/2108.07755. A point wanted by several
    instances goes to the one that its predicted box overlaps most, wanted by it or not.

    Args:
        scores: Predicted scores (N, K, L), 0..1.
        boxes: Predicted boxes (N, L, 4) in pixels of the input.
        points: x, y (L, 2) in pixels of the input.
        targets: The labelled instances.
        num_candidates: Points that an instance asks for.
        score_power: Weight of the score in the alignment metric.
        iou_power: Weight of the overlap in the alignment metric.
    """
    num_images, num_points = boxes.shape[:2]
    num_instances = targets.boxes.shape[1]
    if num_instances == 0:
        nothing = paddle.zeros([num_images, num_points])
        return Assignment(nothing.astype("bool"), nothing.astype("int64"), nothing)

    iou = pairwise_iou(targets.boxes, boxes, EPSILON)  # (N, G, L)
    metric = scores_of_labels(scores, targets.labels) ** score_power * iou**iou_power
    margins = side_distances(points, targets.boxes.unsqueeze(2)).min(axis=-1)  # (N, G, L)
    eligible = (margins > EPSILON) & targets.valid.unsqueeze(2)

    best = paddle.topk(metric * (margins > EPSILON).astype(metric.dtype), num_candidates, axis=2)[1]
    chosen = paddle.put_along_axis(paddle.zeros_like(metric), best, 1.0, axis=2)
    positive = _settle_conflicts((chosen > 0) & eligible, iou)

    weight = positive.astype(metric.dtype)
    metric = metric * weight
    best_metric = metric.max(axis=2, keepdim=True)  # (N, G, 1)
    best_iou = (iou * weight).max(axis=2, keepdim=True)
    quality = (metric / (best_metric + EPSILON) * best_iou).max(axis=1)  # (N, L)
    return Assignment(positive.any(axis=1), weight.argmax(axis=1), quality)


def scores_of_labels(scores: Tensor, labels: Tensor) -> Tensor:
    """Return, of scores (N, K, L), those of each instance's label (N, G) as (N, G, L)."""
    num_images, num_classes, num_points = scores.shape
    first_rows = paddle.arange(num_images).unsqueeze(1) * num_classes  # (N, 1)
    rows = (labels + first_rows).flatten()
    return scores.reshape([-1, num_points])[rows].reshape([num_images, -1, num_points])


def _settle_conflicts(wanted: Tensor, iou: Tensor) -> Tensor:
    """Leave at most one instance to each point of `wanted` (N, G, L)."""
    contested = wanted.astype("int32").sum(axis=1, keepdim=True) > 1  # (N, 1, L)
    instances = paddle.arange(iou.shape[1]).reshape([1, -1, 1])
    winner = instances == iou.argmax(axis=1, keepdim=True)  # (N, G, L)
    return paddle.where(contested, winner, wanted)
