"""Tensor operations on boxes: overlaps, and distances from a point to the four sides.

Boxes are xyxy; distances are left, top, right, bottom.
Shapes: N images, G and L boxes of each image, ... any leading axes.
"""

from __future__ import annotations

import paddle
from paddle import Tensor


def box_areas(boxes: Tensor) -> Tensor:
    """Return the areas (...) of boxes (..., 4); a side that is negative makes it negative."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def pairwise_iou(first: Tensor, second: Tensor, epsilon: float = 1e-9) -> Tensor:
    """Return the overlaps (N, G, L) of boxes (N, G, 4) with boxes (N, L, 4) of the same image."""
    x1, y1, x2, y2 = paddle.unstack(first.unsqueeze(2), axis=-1)  # each (N, G, 1)
    u1, v1, u2, v2 = paddle.unstack(second.unsqueeze(1), axis=-1)  # each (N, 1, L)
    width = (paddle.minimum(x2, u2) - paddle.maximum(x1, u1)).clip(min=0)  # (N, G, L)
    height = (paddle.minimum(y2, v2) - paddle.maximum(y1, v1)).clip(min=0)
    shared = width * height
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
    return shared / (union + epsilon)


def giou_losses(boxes: Tensor, targets: Tensor, epsilon: float = 1e-10) -> Tensor:
    """Return 1 - GIoU (...) of boxes (..., 4) and targets (..., 4), pair by pair.

    See https://arxiv.org/abs/1902.09630.
    """
    lower, upper = paddle.minimum(boxes, targets), paddle.maximum(boxes, targets)
    sides = (lower[..., 2:] - upper[..., :2]).clip(min=0)
    hull_sides = upper[..., 2:] - lower[..., :2]
    # Products of slices, since the gradient of Paddle's prod() is NaN where a factor is 0.
    shared = sides[..., 0] * sides[..., 1]
    union = box_areas(boxes) + box_areas(targets) - shared + epsilon
    hull = hull_sides[..., 0] * hull_sides[..., 1] + epsilon
    return 1 - (shared / union - (hull - union) / hull)


def pairwise_giou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised overlaps (N, G, L) of boxes (N, G, 4) with boxes (N, L, 4)."""
    return 1 - giou_losses(first.unsqueeze(2), second.unsqueeze(1))


def boxes_around(points: Tensor, distances: Tensor) -> Tensor:
    """Return the boxes (..., 4) whose sides lie at distances (..., 4) from points (..., 2)."""
    return paddle.concat([points - distances[..., :2], points + distances[..., 2:]], axis=-1)


def side_distances(points: Tensor, boxes: Tensor) -> Tensor:
    """Return the distances (..., 4) from points (..., 2) to the sides of boxes (..., 4).

    A distance is negative where the point lies outside that side.
    """
    return paddle.concat([points - boxes[..., :2], boxes[..., 2:] - points], axis=-1)
