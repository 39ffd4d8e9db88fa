"""Random textures that look grown rather than computed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""One number a pixel (h, w)."""


def fractal(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    cell_px: float,
    *,
    octaves: int = 4,
    stretch: float = 1.0,
) -> Field:
    """Return noise (h, w) with mean 0 and deviation 1, of features down from `cell_px`.

    Args:
        rng: Where chance comes from.
        size_hw: Size of the result.
        cell_px: Size of the largest features.
        octaves: How many times features of half the size and strength are added.
        stretch: How many times longer than high the features are.
    """
    height, width = size_hw
    total = np.zeros(size_hw, np.float32)
    for octave in range(octaves):
        cell = cell_px / 2**octave
        rows = int(np.ceil(height / cell)) + 3
        columns = int(np.ceil(width / (cell * stretch))) + 3
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        scaled_wh = (round(columns * cell * stretch) + 1, round(rows * cell) + 1)
        fine = cv2.resize(grid, scaled_wh, interpolation=cv2.INTER_CUBIC)
        # Without the margin, where interpolation has fewer neighbours.
        top, left = (fine.shape[0] - height) // 2, (fine.shape[1] - width) // 2
        total += fine[top : top + height, left : left + width] / 2**octave
    spread = float(total.std())
    return np.asarray((total - total.mean()) / max(spread, 1e-6), np.float32)


def sample(field: Field, x: Field, y: Field) -> Field:
    """Return `field` read at fractional positions, mirrored beyond its edges."""
    read: Field = cv2.remap(
        field,
        np.ascontiguousarray(x, np.float32),
        np.ascontiguousarray(y, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return read


def smooth_step(low: float, high: float, value: Field) -> Field:
    """Return 0 below `low`, 1 above `high` and a smooth rise between."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)
