"""A random crop that shows some object to a chosen degree (https://arxiv.org/abs/1512.02325).

Shapes: n boxes, T attempts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtune.data.window import Window

# As in ppdet/data/transform/operators.py, RandomCrop.
IOU_THRESHOLDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
SCALES = (0.3, 1.0)  # square root of the crop's share of the canvas
ASPECTS = (0.5, 2.0)  # width by height, relative to the canvas
NUM_ATTEMPTS = 50  # for each threshold


def draw_crop(
    boxes: NDArray[np.float64], size_hw: tuple[int, int], generator: np.random.Generator
) -> Window | None:
    """Return a crop of a canvas that keeps at least one of the boxes (n, 4), or None for no crop.

    The thresholds and "no crop" are tried in random order. A threshold is met by the first of
    fifty random crops whose IoU with some box reaches it and which keeps a box.
    """
    if len(boxes) == 0:
        return None
    choices: list[float | None] = [*IOU_THRESHOLDS, None]
    for choice in generator.permutation(len(choices)):
        threshold = choices[choice]
        if threshold is None:
            return None
        crops = _draw_attempts(size_hw, generator)
        good = (_iou(crops, boxes).max(axis=1) >= threshold) & _kept(crops, boxes).any(axis=1)
        if good.any():
            left, top, right, bottom = (int(side) for side in crops[good.argmax()])
            return Window(top, left, bottom - top, right - left)
    return None


def keeps(window: Window, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which boxes (n, 4) a window keeps: those whose centre is in it.

    Its left and top edge count as inside. A box of which no area is in the window is not kept.
    """
    crop = np.array(
        [[window.left, window.top, window.left + window.width, window.top + window.height]],
        np.float64,
    )
    return np.asarray(_kept(crop, boxes)[0], np.bool_)


def _draw_attempts(size_hw: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return T random crops (T, 4) of a canvas, xyxy with whole numbers."""
    scale = generator.uniform(*SCALES, NUM_ATTEMPTS)
    aspect = generator.uniform(
        np.maximum(ASPECTS[0], scale**2), np.minimum(ASPECTS[1], scale**-2)
    )  # so that neither side exceeds the canvas
    height = np.maximum(1, (size_hw[0] * scale / np.sqrt(aspect)).astype(np.int64))
    width = np.maximum(1, (size_hw[1] * scale * np.sqrt(aspect)).astype(np.int64))
    top = generator.integers(size_hw[0] - height, endpoint=True)
    left = generator.integers(size_hw[1] - width, endpoint=True)
    return np.stack([left, top, left + width, top + height], axis=1).astype(np.float64)


def _overlaps(crops: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area (T, n) that each crop shares with each box."""
    corner = np.maximum(crops[:, None, :2], boxes[None, :, :2])
    sides = np.minimum(crops[:, None, 2:], boxes[None, :, 2:]) - corner  # (T, n, 2)
    return np.asarray(np.clip(sides, 0, None).prod(axis=2), np.float64)


def _iou(crops: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    shared = _overlaps(crops, boxes)  # (T, n)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    crop_areas = (crops[:, 2:] - crops[:, :2]).prod(axis=1)
    return np.asarray(shared / (crop_areas[:, None] + areas[None] - shared), np.float64)


def _kept(crops: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    centres = (boxes[None, :, :2] + boxes[None, :, 2:]) / 2
    centred = (crops[:, None, :2] <= centres) & (centres < crops[:, None, 2:])  # (T, n, 2)
    return np.asarray(centred.all(axis=2) & (_overlaps(crops, boxes) > 0), np.bool_)
