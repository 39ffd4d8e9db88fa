"""A random choice of boxes to learn from, of which a limited part is foreground.

It is drawn from Paddle's generator, which a run seeds anew for every step.
Shapes: N images, C candidates of each image, S sampled ones of the image that has most.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor

from segtune.models.rows_of_images import rows_of_images


class Sampled(NamedTuple):
    """Which candidates were chosen; an image with fewer than S of them has void rows."""

    rows: Tensor  # (N, S) int64, of the candidates
    is_valid: Tensor  # (N, S) bool


def sample(
    is_foreground: Tensor, is_background: Tensor, *, most: int, foreground_share: float
) -> Sampled:
    """Choose candidates (N, C), foreground first.

    Args:
        is_foreground: What may be chosen as foreground.
        is_background: What may be chosen as background, to fill up.
        most: Candidates chosen of an image, if it has as many.
        foreground_share: The largest part of them that is foreground.
    """
    keys = paddle.rand(is_foreground.shape)
    rows, chosen = _draw(keys, is_foreground, int(most * foreground_share))
    num_left = most - chosen.astype("int64").sum(axis=1, keepdim=True)  # (N, 1)
    others, are_drawn = _draw(keys, is_background, most)
    are_drawn &= paddle.arange(others.shape[1]) < num_left
    rows = paddle.concat([rows, others], axis=1)
    chosen = paddle.concat([chosen, are_drawn], axis=1)
    # Chosen rows move to the front, in their order; the rest is cut off.
    order = paddle.argsort(chosen.astype("int64"), axis=1, descending=True, stable=True)
    order = order[:, : max(int(chosen.astype("int64").sum(axis=1).max()), 1)]
    return Sampled(rows_of_images(rows, order), rows_of_images(chosen, order))


def _draw(keys: Tensor, is_allowed: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the rows (N, k) of the allowed candidates with the largest keys, and which exist."""
    keys = paddle.where(is_allowed, keys, paddle.full_like(keys, -1.0))
    keys, rows = paddle.topk(keys, min(most, keys.shape[1]), axis=1)
    return rows, keys >= 0
