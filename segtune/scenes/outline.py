"""The COCO form that suits a mask: a polygon where one is exact enough, RLE elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.masks import Segmentation
from segtune.outlines import trace

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
    outlines = trace(bitmap)
    return outlines[0].points if len(outlines) == 1 else None


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)
