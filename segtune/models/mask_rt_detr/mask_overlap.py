"""How well the masks of queries cover their instances, compared at stride 2.

Shapes: N images, R pairs of one image, C channels, G instances of the fullest image, h x w pixels
map at stride 4, P cells at stride 2, which are 2h x 2w.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from segtune.models.mask_rt_detr.row_sums import row_sums
from segtune.models.mask_rt_detr.targets import UnitTargets

_BLOCK = 16  # pairs at a time, so that what lies between is small
_SMOOTH = 0.01  # cells, so that two empty masks cover one another


class MaskGrid(NamedTuple):
    """What lies at the cells of one image."""

    pixels: Tensor  # (C, P)
    masks: Tensor  # (G, P) float32, 0 or 1


@paddle.no_grad()
def mask_grids(pixels: Tensor, targets: UnitTargets) -> list[MaskGrid]:
    """Return what lies at stride 2 on every image, for all of its queries.

    Mask logits are products of filters and pixels, and enlarging is linear: pixels are enlarged
    once, whatever the number of masks.

    Args:
        pixels: (N, C, h, w).
        targets: The labelled instances, with masks of 4h x 4w.
    """
    height, width = pixels.shape[2:]
    enlarged = F.interpolate(pixels, [2 * height, 2 * width], mode="bilinear")
    pairs = zip(enlarged.flatten(2), targets.masks, strict=True)
    return [MaskGrid(of_image, _halved(masks).flatten(1)) for of_image, masks in pairs]


def mask_overlaps(filters: Tensor, grid: MaskGrid, instances: Tensor) -> Tensor:
    """Return the intersections over unions (R,) of masks and instances.

    Args:
        filters: (R, C); its product with the pixels is a mask's logits.
        grid: Of the image.
        instances: (R,) int64.
    """
    areas = row_sums(grid.masks)  # (G, 1)
    overlaps = []
    for start in range(0, filters.shape[0], _BLOCK):
        rows = instances[start : start + _BLOCK]
        logits = paddle.matmul(filters[start : start + _BLOCK], grid.pixels)  # (r, P)
        found = (logits > 0).astype("float32")
        shared = paddle.matmul(found, grid.masks, transpose_y=True)  # (r, G)
        shared = paddle.take_along_axis(shared, rows.unsqueeze(1), axis=1)  # (r, 1)
        union = row_sums(found) + paddle.gather(areas, rows) - shared
        overlaps.append((shared + _SMOOTH) / (union + _SMOOTH))
    return paddle.concat(overlaps).squeeze(1)


def _halved(masks: Tensor) -> Tensor:
    """Return masks at half of the size, 1 where more than half of the four pixels are, float32."""
    four = [masks[:, top::2, left::2].astype("float32") for top in (0, 1) for left in (0, 1)]
    return (paddle.add_n(four) > 2).astype("float32")
