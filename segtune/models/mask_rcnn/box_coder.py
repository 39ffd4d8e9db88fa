"""Boxes as shifts and stretches of other boxes, https://arxiv.org/abs/1311.2524 appendix C.

Boxes are xyxy. Shapes: ... any leading axes.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import paddle
from paddle import Tensor

MAX_STRETCH = log(1000 / 16)  # of width and height, as a logarithm


class Weights(NamedTuple):
    """What the four deltas are multiplied with, so that their spread is about one."""

    x: float = 1.0
    y: float = 1.0
    width: float = 1.0
    height: float = 1.0


def encode(boxes: Tensor, wanted: Tensor, weights: Weights) -> Tensor:
    """Return the deltas (..., 4) that turn boxes (..., 4), with area, into the wanted ones."""
    x, y, width, height = _centres_and_sizes(boxes)
    wanted_x, wanted_y, wanted_width, wanted_height = _centres_and_sizes(wanted)
    deltas = [
        (wanted_x - x) / width * weights.x,
        (wanted_y - y) / height * weights.y,
        paddle.log(wanted_width / width) * weights.width,
        paddle.log(wanted_height / height) * weights.height,
    ]
    return paddle.stack(deltas, axis=-1)


def decode(boxes: Tensor, deltas: Tensor, weights: Weights) -> Tensor:
    """Return boxes (..., 4) moved and stretched by deltas (..., 4)."""
    x, y, width, height = _centres_and_sizes(boxes)
    dx, dy, log_width, log_height = paddle.unstack(deltas, axis=-1)
    x = x + dx / weights.x * width
    y = y + dy / weights.y * height
    half_width = 0.5 * width * paddle.exp((log_width / weights.width).clip(max=MAX_STRETCH))
    half_height = 0.5 * height * paddle.exp((log_height / weights.height).clip(max=MAX_STRETCH))
    sides = [x - half_width, y - half_height, x + half_width, y + half_height]
    return paddle.stack(sides, axis=-1)


def clip_boxes(boxes: Tensor, sizes_hw: Tensor) -> Tensor:
    """Return boxes (N, L, 4) clipped to images of the given heights and widths (N, 2)."""
    limits = sizes_hw.flip(1)
    limits = paddle.concat([limits, limits], axis=1).unsqueeze(1)  # (N, 1, 4)
    return paddle.minimum(boxes.clip(min=0), limits)


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x1, y1, x2, y2 = paddle.unstack(boxes, axis=-1)
    width, height = x2 - x1, y2 - y1
    return x1 + 0.5 * width, y1 + 0.5 * height, width, height
