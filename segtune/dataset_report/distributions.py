"""The figures behind the plots: how large, how long, how many and where the instances are.

Shapes: n instances, m images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.statistics import SplitStatistics
from segtune.dataset_report.loose import LooseSplit
from segtune.dataset_report.shapes import Shape


@dataclass(frozen=True, eq=False)
class Distribution:
    """Measures of every instance of one split that has a mask or a box to measure."""

    sides_px: NDArray[np.float64]  # (n,) root of the mask's area
    ratios: NDArray[np.float64]  # (n,) width / height of the box around the mask
    centres_xy: NDArray[np.float64]  # (n, 2) of that box, 0..1 of the image
    per_image: NDArray[np.int64]  # (m,) instances of each image

    @classmethod
    def of(cls, split: LooseSplit, statistics: SplitStatistics) -> Distribution:
        """Measure a split; the instances an image has are those that the check took for sound."""
        rows = []
        for index in range(split.num_annotations):
            annotation = split.annotation(index)
            if annotation is None or annotation.image is None:
                continue
            if annotation.image.stated_hw is not None:
                row = _measures(annotation.shape, annotation.image.stated_hw)
                if row is not None:
                    rows.append(row)
        table = np.array(rows, np.float64).reshape(-1, 4)
        numbers = list(statistics.instances_per_image.items())
        counts = np.array(numbers, np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1], table[:, 2:], np.repeat(counts[:, 0], counts[:, 1]))


def _measures(shape: Shape, size_hw: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Return side, ratio and centre of a mask, None where it has no area on its image."""
    mask = Shape(shape.rings, shape.bitmap, None, ())
    extent, area = mask.extent, _area(mask)
    if extent is None or area <= 0:
        return None
    width, height = (extent[2:] - extent[:2]).tolist()
    if width <= 0 or height <= 0:
        return None
    centre = (extent[:2] + extent[2:]) / 2 / [size_hw[1], size_hw[0]]
    if (centre < 0).any() or (centre > 1).any():
        return None
    return (float(np.sqrt(area)), width / height, *centre.tolist())


def _area(mask: Shape) -> float:
    """Return the area of a mask in pixels; rings of one instance are taken not to overlap."""
    if mask.bitmap is not None:
        return float(mask.bitmap.sum())
    return sum(map(_ring_area, mask.rings))


def _ring_area(ring: NDArray[np.float64]) -> float:
    x, y = (ring - ring[0]).T  # from its first corner, so that the closing side adds nothing
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:]))) / 2
