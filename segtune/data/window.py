"""A rectangle of whole pixels laid on an image, which may reach beyond the image's edges.

Shapes: H x W image, h x w window, n boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """The rectangle, in pixels of the image; top and left are negative outside of it."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, size_hw: tuple[int, int]) -> Window:
        """Return the window that shows just an image of this size."""
        return cls(0, 0, *size_hw)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    def within(self, outer: Window) -> Window:
        """Return this window of `outer` as a window of the image that `outer` lies on."""
        return Window(self.top + outer.top, self.left + outer.left, self.height, self.width)

    def on_image(self, size_hw: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of an image of this size that lie in the window."""
        return (
            slice(max(self.top, 0), min(self.top + self.height, size_hw[0])),
            slice(max(self.left, 0), min(self.left + self.width, size_hw[1])),
        )

    def cut(self, image: NDArray[np.uint8], fill: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the window's pixels of an RGB image (H, W, 3), `fill` where there is no image."""
        rows, columns = self.on_image((image.shape[0], image.shape[1]))
        if (rows.stop - rows.start, columns.stop - columns.start) == self.size_hw:
            return image[rows, columns]
        return np.asarray(
            cv2.copyMakeBorder(
                image[rows, columns],
                rows.start - self.top,
                self.top + self.height - rows.stop,
                columns.start - self.left,
                self.left + self.width - columns.stop,
                cv2.BORDER_CONSTANT,
                value=fill,
            ),
            np.uint8,
        )  # (h, w, 3)

    def shift(self, boxes: NDArray[Any]) -> NDArray[Any]:
        """Return boxes (n, 4) of the image in pixels of the window, not clipped."""
        return np.asarray(boxes - np.array([self.left, self.top] * 2, boxes.dtype))

    def clip(self, shifted: NDArray[Any]) -> NDArray[Any]:
        """Return boxes (n, 4) in pixels of the window, cut off at its edges."""
        limit = np.array([self.width, self.height] * 2, shifted.dtype)
        return np.asarray(np.clip(shifted, 0, limit))
