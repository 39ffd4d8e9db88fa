"""How well the masks of queries cover their instances.

Shapes: R pairs of one image, C channels, G instances, h x w pixels map at stride 4.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor

_BLOCK = 16  # pairs at a time, so that what lies between is small
_SMOOTH = 0.01  # cells, so that two empty masks cover one another


def mask_overlaps(filters: Tensor, pixels: Tensor, masks: Tensor, instances: Tensor) -> Tensor:
    """Return the intersections over unions (R,) of masks and instances, compared at stride 2.

    Args:
        filters: (R, C); its product with the pixels is a mask's logits.
        pixels: (C, h, w).
        masks: (G, 4h, 4w) uint8.
        instances: (R,) int64.
    """
    height, width = pixels.shape[1:]
    wanted = _halved(masks).flatten(1)  # (G, 4hw)
    areas = wanted.sum(axis=1)
    overlaps = []
    for start in range(0, filters.shape[0], _BLOCK):
        rows = instances[start : start + _BLOCK]
        logits = paddle.matmul(filters[start : start + _BLOCK], pixels.flatten(1))
        enlarged = F.interpolate(
            logits.reshape([1, -1, height, width]), [2 * height, 2 * width], mode="bilinear"
        )
        found = (enlarged[0] > 0).astype("float32").flatten(1)  # (r, 4hw)
        shared = paddle.matmul(found, wanted, transpose_y=True)  # (r, G)
        shared = paddle.take_along_axis(shared, rows.unsqueeze(1), axis=1).squeeze(1)
        union = found.sum(axis=1) + paddle.gather(areas, rows) - shared
        overlaps.append((shared + _SMOOTH) / (union + _SMOOTH))
    return paddle.concat(overlaps)


def _halved(masks: Tensor) -> Tensor:
    """Return masks at half of the size, 1 where more than half of the four pixels are, float32."""
    four = [masks[:, top::2, left::2].astype("float32") for top in (0, 1) for left in (0, 1)]
    return (paddle.add_n(four) > 2).astype("float32")
