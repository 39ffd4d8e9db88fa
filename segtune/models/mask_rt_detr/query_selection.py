"""Where queries come from: the cells that look most like an object, and the boxes of their masks.

Shapes: N images, L cells of all levels, Q queries, D width, h x w mask map.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

FIRST_SIDE = 0.05  # of an anchor on the finest level, as part of the image; doubled by each level
MARGIN = 0.01  # an anchor is valid while every coordinate is this far from 0 and 1


def anchor_logits(sizes_hw: Sequence[tuple[int, int]]) -> Tensor:
    """Return the logits (L, 4) of an anchor at every cell; infinite where it is not valid.

    Anchors are centre and size in 0..1 of the image. The reference divides a column by the height
    and a row by the width, which is the same on the square maps that its weights were trained on.
    """
    anchors = _anchors(tuple(sizes_hw))
    logits = np.log(anchors / (1 - anchors))
    return paddle.to_tensor(np.where(_is_inside(anchors), logits, np.float32(np.inf)))


def valid_cells(sizes_hw: Sequence[tuple[int, int]]) -> Tensor:
    """Return 1 where the anchor of a cell is valid (L, 1) float32, else 0: at the border."""
    return paddle.to_tensor(_is_inside(_anchors(tuple(sizes_hw))).astype(np.float32))


@cache
def _anchors(sizes_hw: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    levels = []
    for level, (height, width) in enumerate(sizes_hw):
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = (columns + 0.5) / width, (rows + 0.5) / height
        side = np.full_like(x, FIRST_SIDE * 2**level)
        levels.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    return np.concatenate(levels)  # (L, 4)


def _is_inside(anchors: NDArray[np.float32]) -> NDArray[np.bool_]:
    inside = (anchors > MARGIN) & (anchors < 1 - MARGIN)
    return np.asarray(inside.all(axis=1, keepdims=True))


def boxes_of_masks(filters: Tensor, pixels: Tensor) -> Tensor:
    """Return the boxes (N, Q, 4) around masks, as centre and size in 0..1 of the map.

    Sides are on the edges of the outermost cells. A mask without cells has a box of zeros.

    Args:
        filters: (N, Q, C).
        pixels: (N, C, h, w); a mask is where the product of its filter and the pixels is above 0.
    """
    height, width = pixels.shape[2:]
    logits = paddle.bmm(filters, pixels.flatten(2)).reshape([-1, filters.shape[1], height, width])
    sides = [
        _first_and_last(logits.max(axis=axis) > 0, length)  # (N, Q, 1) each
        for axis, length in ((2, width), (3, height))
    ]
    (x1, x2), (y1, y2) = sides
    return paddle.concat([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=-1)


def _first_and_last(occupied: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return the first edge and the last (N, Q, 1) of what is occupied (N, Q, k), in 0..1."""
    is_there = occupied.astype("float32")
    places = paddle.arange(length, dtype="float32")
    after_last = (is_there * (places + 1)).max(axis=-1, keepdim=True)
    # Counted from the other end, so that nothing occupied gives zero for both edges.
    from_end = (is_there * (length - places)).max(axis=-1, keepdim=True)
    first = (length - from_end) * is_there.max(axis=-1, keepdim=True)
    return first / length, after_last / length
