"""Expanding and cropping as one Albumentations transform, which never builds the canvas.

Shapes: n boxes, k kept ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.data.albumentations_offline import Targets, albumentations
from segtune.data.crop import draw_crop, keeps
from segtune.data.expand import FILL, draw_canvas
from segtune.data.window import Window


class RandomWindow(albumentations.DualTransform):  # type: ignore[misc]
    """Lay the image on a larger canvas, crop that canvas, and materialise only the crop.

    The canvas is drawn before the crop and the crop within the canvas, so results are
    distributed as if both were done one after the other.

    Args:
        expand: Probability of a larger canvas.
        expand_ratio: Largest ratio of the canvas's sides to the image's.
        crop: Probability of trying to crop.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, expand: float, expand_ratio: float, crop: float) -> None:
        super().__init__(p=1.0)
        self.expand = expand
        self.expand_ratio = expand_ratio
        self.crop = crop

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the window, and which boxes it keeps."""
        size_hw = params["shape"][:2]
        boxes = _to_pixels(data["bboxes"], size_hw)
        window = Window.whole(size_hw)
        kept = np.ones(len(boxes), np.bool_)
        if self.random_generator.random() < self.expand:
            window = draw_canvas(size_hw, self.expand_ratio, self.random_generator)
        if self.random_generator.random() < self.crop:
            crop = draw_crop(window.shift(boxes), window.size_hw, self.random_generator)
            if crop is not None:
                window = crop.within(window)
                kept = keeps(window, boxes)
        return {"window": window, "kept": kept}

    def apply(self, img: NDArray[np.uint8], *, window: Window, **_: Any) -> NDArray[np.uint8]:
        """Return the window's part of the image."""
        return window.cut(img, FILL)

    def apply_to_bboxes(
        self,
        bboxes: NDArray[Any],
        *,
        window: Window,
        kept: NDArray[np.bool_],
        shape: tuple[int, ...],
        **_: Any,
    ) -> NDArray[Any]:
        """Return the kept boxes, clipped to the window, in Albumentations' unit coordinates."""
        moved = bboxes[kept]  # (k, 4 and the columns of labels)
        pixels = window.clip(window.shift(_to_pixels(moved, (shape[0], shape[1]))))
        moved[:, :4] = pixels / np.array([window.width, window.height] * 2)
        return moved


def _to_pixels(unit_boxes: NDArray[Any], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    sides = np.array([size_hw[1], size_hw[0]] * 2, np.float64)
    return np.asarray(unit_boxes[:, :4] * sides, np.float64)
