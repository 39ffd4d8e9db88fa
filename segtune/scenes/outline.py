"""The COCO form that suits a mask: a polygon where one is exact enough, RLE elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.masks import Segmentation

_FINER = 4  # the outline is traced on a grid this much finer, to run along pixel edges
_LEEWAY_PX = 0.3  # measured: the rasterised polygon is then the bitmap itself
_LEAST_IOU = 0.98  # between a mask and its polygon


def segmentation_of(bitmap: NDArray[np.bool_]) -> Segmentation:
    """Return the COCO segmentation of a bitmap (H, W).

    COCO polygons cannot express holes, and many readers join or drop the rings of separate
    parts, so a mask with either becomes RLE; so does one whose polygon is not accurate.
    """
    ring = _only_ring(bitmap)
    if ring is not None:
        polygon = [[round(float(side), 2) for side in ring.ravel()]]
        height, width = bitmap.shape
        if _iou(masks.rasterise(polygon, (height, width)), bitmap) >= _LEAST_IOU:
            return polygon
    return dict(masks.encode(bitmap))


def _only_ring(bitmap: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the outline (p, 2) as x, y in pixels; None for holes, parts, or nothing at all."""
    left, top, width, height = cv2.boundingRect(bitmap.astype(np.uint8))
    window = bitmap[top : top + height, left : left + width].astype(np.uint8)
    fine = window.repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    rings, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if len(rings) != 1:
        return None
    simple = cv2.approxPolyDP(rings[0], _LEEWAY_PX * _FINER, closed=True)[:, 0]  # (p, 2)
    if len(simple) < 3:
        return None
    return np.asarray((simple + 0.5) / _FINER + (left, top), np.float64)


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)
