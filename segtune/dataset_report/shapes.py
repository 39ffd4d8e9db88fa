"""The mask and box of an annotation, as far as they can be drawn.

Shapes: P points, h x w bitmap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks

_FARTHEST_PX = 1e6  # coordinates beyond are moved here: OpenCV draws with 32 bits
_NUMBERS = frozenset((int, float))  # the exact types, as a bool is an int to isinstance
_MOST_PIXELS = 10**8  # of a bitmap that is made to be drawn


@dataclass(frozen=True, eq=False)
class Shape:
    """What can be drawn of one annotation, in pixels of its image."""

    rings: tuple[NDArray[np.float64], ...]  # (P, 2) each, at least one point
    bitmap: NDArray[np.bool_] | None  # (h, w), its origin on that of the image
    box: NDArray[np.float64] | None  # (4,) xyxy, perhaps inside out
    lacks: tuple[str, ...]
    """What of the annotation cannot be drawn, and why."""

    @property
    def extent(self) -> NDArray[np.float64] | None:
        """The box (4,) around everything that can be drawn; None when there is nothing."""
        corners = [*self.rings]
        if self.box is not None:
            corners.append(self.box.reshape(2, 2))
        if self.bitmap is not None and self.bitmap.any():
            ys = np.flatnonzero(self.bitmap.any(axis=1))
            xs = np.flatnonzero(self.bitmap.any(axis=0))
            corners.append(np.array([[xs[0], ys[0]], [xs[-1] + 1, ys[-1] + 1]], np.float64))
        if not corners:
            return None
        points = np.concatenate(corners)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])


def read_shape(entry: dict[str, Any]) -> Shape:
    """Return what can be drawn of an annotation."""
    lacks: list[str] = []
    rings, bitmap = _read_mask(entry.get("segmentation"), lacks)
    box = _read_box(entry.get("bbox"), lacks)
    return Shape(rings, bitmap, box, tuple(lacks))


def _read_mask(
    segmentation: object, lacks: list[str]
) -> tuple[tuple[NDArray[np.float64], ...], NDArray[np.bool_] | None]:
    if segmentation is None:
        lacks.append("it has no mask")
    elif isinstance(segmentation, dict):
        bitmap = _bitmap(segmentation.get("size"), segmentation.get("counts"))
        if bitmap is None:
            lacks.append("its RLE cannot be read")
        elif not bitmap.any():
            lacks.append("its mask is empty")
        return (), bitmap
    elif isinstance(segmentation, list):
        is_flat = bool(segmentation) and _NUMBERS.issuperset(map(type, segmentation))
        candidates = [segmentation] if is_flat else segmentation
        points = [_points(ring) for ring in candidates]
        rings = tuple(ring for ring in points if ring is not None)
        if not candidates:
            lacks.append("its mask is empty")
        elif len(rings) < len(candidates):
            some = "its polygon" if len(candidates) == 1 else "a polygon of its mask"
            lacks.append(f"{some} has no points to draw")
        return rings, None
    else:
        lacks.append("its mask cannot be read")
    return (), None


def _points(ring: object) -> NDArray[np.float64] | None:
    """Return the finite points (P, 2) of a ring, None when there are none."""
    if not isinstance(ring, list) or not _NUMBERS.issuperset(map(type, ring)):
        return None
    even = ring[: len(ring) // 2 * 2]
    try:
        points = np.array(even, np.float64).reshape(-1, 2)
    except OverflowError:  # an integer beyond every float
        points = np.array([_as_float(value) for value in even]).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    return points.clip(-_FARTHEST_PX, _FARTHEST_PX) if len(points) else None


def _read_box(bbox: object, lacks: list[str]) -> NDArray[np.float64] | None:
    """Return a box (4,) as xyxy; a missing one is no fault, since it follows from the mask."""
    if bbox is None:
        return None
    if isinstance(bbox, list) and len(bbox) == 4 and _NUMBERS.issuperset(map(type, bbox)):
        x, y, width, height = (_as_float(value) for value in bbox)
        box = np.array([x, y, x + width, y + height])
        if np.isfinite(box).all():
            return box.clip(-_FARTHEST_PX, _FARTHEST_PX)
    lacks.append("its box cannot be drawn")
    return None


def _bitmap(size: object, counts: object) -> NDArray[np.bool_] | None:
    """Return the bitmap (h, w) of an RLE; what its counts lack is background."""
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
        return None
    height, width = size
    if not (height > 0 and width > 0 and height * width <= _MOST_PIXELS):
        return None
    runs = _runs(counts)
    if runs is None:
        return None
    pixels = np.zeros(height * width, np.bool_)
    position = 0
    for number, run in enumerate(runs):
        if run < 0 or position >= len(pixels):
            break
        pixels[position : position + run] = number % 2 == 1
        position += run
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def _runs(counts: object) -> Sequence[int] | None:
    if isinstance(counts, list):
        return counts if all(type(run) is int for run in counts) else None
    if not isinstance(counts, str):
        return None
    try:
        runs: list[int] = masks.run_lengths(counts).tolist()
    except ValueError:
        return None
    return runs


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
