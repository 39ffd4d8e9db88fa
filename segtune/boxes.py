"""Boxes as arrays: forms, areas, clipping, the boxes of masks.

A box is xyxy in continuous pixels, right and bottom exclusive, unless a name says otherwise.

Shapes: n boxes, R runs of one mask, H x W image.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)


def xywh_to_xyxy(boxes_xywh: NDArray[Float]) -> NDArray[Float]:
    """Return boxes (n, 4) given as left, top, width, height."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def areas(boxes: NDArray[Float]) -> NDArray[Float]:
    """Return the areas (n,) of boxes (n, 4); a box that is turned inside out has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    result: NDArray[Float] = sides[:, 0] * sides[:, 1]  # (n,)
    return result


def iou(first: NDArray[Float], second: NDArray[Float]) -> NDArray[Float]:
    """Return the overlaps (n, m), 0..1, of boxes (n, 4) with boxes (m, 4)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (bottom_right - top_left).clip(0).prod(axis=2)  # (n, m)
    union = areas(first)[:, None] + areas(second)[None] - shared
    found: NDArray[Float] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def clip(boxes: NDArray[Float], sizes_hw: NDArray[np.int64]) -> NDArray[Float]:
    """Return the parts of boxes (n, 4) on images of sizes (n, 2); outside they have no area."""
    sizes_wh = sizes_hw[:, ::-1].astype(boxes.dtype)
    return np.clip(boxes, 0, np.concatenate([sizes_wh, sizes_wh], axis=1))


def are_finite(boxes: NDArray[Float]) -> NDArray[np.bool_]:
    """Return which (n,) of the boxes (n, 4) are finite throughout."""
    return np.asarray(np.isfinite(boxes).all(axis=1))


def runs_to_box(run_lengths: NDArray[np.int64], height: int) -> tuple[float, float, float, float]:
    """Return the box around a mask given as COCO run lengths (R,); zeros for an empty mask.

    Args:
        run_lengths: Column by column, background first.
        height: H of the image.
    """
    ends = run_lengths.cumsum()
    starts = ends - run_lengths
    filled = run_lengths[1::2] > 0
    first = starts[1::2][filled]
    last = ends[1::2][filled] - 1
    if len(first) == 0:
        return (0.0, 0.0, 0.0, 0.0)
    left, right = int(first[0]) // height, int(last[-1]) // height + 1
    if (first // height != last // height).any():  # a run that goes on in the next column
        return (float(left), 0.0, float(right), float(height))
    top, bottom = int((first % height).min()), int((last % height).max()) + 1
    return (float(left), float(top), float(right), float(bottom))
