"""Where the pixels of a training image come from, so that masks can follow it.

Shapes: H x W image, h x w network image, s mask stride.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.window import Window


@dataclass(frozen=True)
class Placement:
    """The window of the original image that a training image shows, and whether mirrored.

    A mask follows by looking up, for every cell of the mask grid, the one original pixel that
    it shows. No mask is ever laid on the canvas, which has up to sixteen times the image's
    pixels, and one bitmap is in memory at a time.
    """

    window: Window
    mirrored: bool

    def shows_any(self, bitmap: NDArray[np.bool_]) -> bool:
        """Return whether any pixel of a mask (H, W) of the original image is in the window."""
        return bool(bitmap[self.window.on_image((bitmap.shape[0], bitmap.shape[1]))].any())

    def sample(
        self, bitmap: NDArray[np.bool_], size_hw: tuple[int, int], stride: int
    ) -> NDArray[np.uint8]:
        """Return the mask (H, W) of the original image on the mask grid (h/s, w/s).

        That is: lay it on the window, mirror it, resize it to `size_hw` with OpenCV's nearest
        neighbour, and keep every s-th row and column from the first.
        """
        rows = _nearest(self.window.height, size_hw[0])[::stride]
        columns = _nearest(self.window.width, size_hw[1])[::stride]
        if self.mirrored:
            columns = self.window.width - 1 - columns
        rows, columns = rows + self.window.top, columns + self.window.left
        on_rows = (rows >= 0) & (rows < bitmap.shape[0])
        on_columns = (columns >= 0) & (columns < bitmap.shape[1])
        grid = np.zeros((len(rows), len(columns)), np.uint8)  # (h/s, w/s)
        # Rows first and slices to write to: four times as fast as one lookup by np.ix_.
        grid[_run(on_rows), _run(on_columns)] = bitmap[rows[on_rows]][:, columns[on_columns]]
        return grid


def _nearest(source: int, target: int) -> NDArray[np.int64]:
    """Return the source pixel that OpenCV's nearest neighbour takes for each target pixel."""
    scale = 1 / (target / source)  # in OpenCV's order of division, for equal rounding
    return np.minimum((np.arange(target) * scale).astype(np.int64), source - 1)


def _run(flags: NDArray[np.bool_]) -> slice:
    """Return where the true flags are, which follow one another without a gap."""
    first = int(flags.argmax())
    return slice(first, first + int(flags.sum()))
