"""The mask of one annotation as it stands in the file: whether it can be used, and its measures.

Shapes: P points of all rings, R runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.masks import Segmentation

_NUMBERS = frozenset((int, float))  # the exact types, as a bool is an int to isinstance
_NARROWEST_PX = 0.01

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class UsableMask:
    """A mask that has pixels on its image."""

    segmentation: Segmentation
    size_hw: tuple[int, int]
    box: Box
    """xyxy around the mask, cut at the image."""
    leaves_image: bool
    """Whether it goes on beyond the edge by any amount."""
    enclosed_px: float
    """What its rings enclose, added up, or the pixels of an RLE."""

    def area(self) -> float:
        """Return the number of pixels, or what is enclosed where no pixel's centre is."""
        return masks.area(self.segmentation, self.size_hw) or round(self.enclosed_px, 3)


def usable_mask(segmentation: Any, size_hw: tuple[int, int]) -> UsableMask | None:
    """Return the mask of an annotation on an image of `size_hw`; None when it has faults."""
    around = (
        _around_runs(segmentation, size_hw)
        if isinstance(segmentation, dict)
        else _around_rings(segmentation, size_hw)
    )
    if around is None:
        return None
    box, enclosed = around
    cut = boxes.clip(np.array([box]), np.array([size_hw]))[0]
    if (cut[2:] - cut[:2]).min() < _NARROWEST_PX or enclosed <= 0:
        return None
    x1, y1, x2, y2 = cut.tolist()
    leaves = (x1, y1, x2, y2) != box
    return UsableMask(segmentation, size_hw, (x1, y1, x2, y2), leaves, enclosed)


def extent(segmentation: Any) -> Box | None:
    """Return the box around rings without faults; None for all else, also for RLE."""
    rings = ring_points(segmentation)
    if rings is None:
        return None
    points = np.concatenate(rings)  # (P, 2)
    x1, y1 = points.min(axis=0).tolist()
    x2, y2 = points.max(axis=0).tolist()
    return x1, y1, x2, y2


def rle_size(segmentation: Any) -> tuple[int, int] | None:
    """Return the height and width that an RLE states; None for all else."""
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    if isinstance(size, list) and len(size) == 2 and {int}.issuperset(map(type, size)):
        return size[0], size[1]
    return None


def ring_points(segmentation: Any) -> list[NDArray[np.float64]] | None:
    """Return the rings (points, 2) of an annotation; None unless it has some, all without fault."""
    if not isinstance(segmentation, list) or not segmentation:
        return None
    rings = [points_of(ring) for ring in segmentation]
    sound = [ring for ring in rings if ring is not None and len(ring) >= 3]
    return sound if len(sound) == len(rings) else None


def points_of(ring: Any) -> NDArray[np.float64] | None:
    """Return the points (n, 2) of one ring; None unless it is finite x, y pairs, not endless."""
    if not isinstance(ring, list) or len(ring) % 2 or not _NUMBERS.issuperset(map(type, ring)):
        return None
    try:
        points = np.array(ring, np.float64).reshape(-1, 2)
    except OverflowError:  # an integer beyond every float
        return None
    return points if np.isfinite(points).all() and not _is_endless(points) else None


def _is_endless(points: NDArray[np.float64]) -> bool:
    """Return whether a ring is too long to be drawn, as the rule polygon-endless has it."""
    if len(points) == 0:
        return False
    with np.errstate(over="ignore"):
        (length,) = masks.outline_lengths(points, np.array([0, len(points)]))
    return bool(length > masks.LONGEST_OUTLINE_PX)


def enclosed_area(points: NDArray[np.float64]) -> float:
    """Return what a ring (n, 2) encloses in square pixels; halves of a figure eight cancel out."""
    if len(points) == 0:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = (points - points[0]).T  # so that far from the origin no digits are lost
        twice = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return abs(twice) / 2


def finite_numbers(value: Any, count: int) -> list[float] | None:
    """Return a JSON list of so many finite numbers as floats; None for all else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    floats = [finite_number(part) for part in value]
    found = [part for part in floats if part is not None]
    return found if len(found) == count else None


def finite_number(value: Any) -> float | None:
    """Return a JSON number as float; None for all else, also for what no float can hold."""
    if type(value) not in _NUMBERS:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _around_rings(segmentation: Any, size_hw: tuple[int, int]) -> tuple[Box, float] | None:
    rings = ring_points(segmentation)
    box = extent(segmentation)
    if rings is None or box is None:
        return None
    height, width = size_hw
    beyond = max(-box[0], -box[1], box[2] - width, box[3] - height)
    if beyond > max(height, width):  # of another image, or in another unit
        return None
    enclosed = sum(enclosed_area(ring) for ring in rings)
    # A figure eight encloses nothing by that measure.
    return box, enclosed or masks.area(segmentation, size_hw)


def _around_runs(segmentation: Any, size_hw: tuple[int, int]) -> tuple[Box, float] | None:
    if rle_size(segmentation) != size_hw:
        return None
    runs = _run_lengths(segmentation.get("counts"), size_hw[0] * size_hw[1])
    if runs is None:
        return None
    return boxes.runs_to_box(runs, size_hw[0]), float(runs[1::2].sum())


def _run_lengths(counts: Any, num_pixels: int) -> NDArray[np.int64] | None:
    """Return run lengths (R,) that make up an image; None for all else."""
    if isinstance(counts, str):
        try:
            runs = masks.run_lengths(counts)
        except ValueError:
            return None
        within = runs.min(initial=0) >= 0 and runs.max(initial=0) <= num_pixels
        return runs if within and runs.sum() == num_pixels else None
    if not isinstance(counts, list) or not {int}.issuperset(map(type, counts)):
        return None
    if min(counts, default=0) < 0 or sum(counts) != num_pixels:
        return None
    return np.array(counts, np.int64)
