"""The mask loss, computed inside the boxes only.

Shapes: N images, G instances of the fullest image, A points that learn an instance (positives),
P prototypes, h x w prototype map, I instances that have positives, q cells in the box of one
instance, Q cells in all I boxes, a positives of one instance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor

from segtune.models.segmenter import Targets


class BoxCells(NamedTuple):
    """The prototype cells inside the box of each instance, box after box."""

    prototype_rows: NDArray[np.int64]  # (Q,) image * h * w + cell
    mask_rows: NDArray[np.int64]  # (Q,) instance row * h * w + cell
    counts: list[int]  # (I,) q of each instance


def cropped_mask_loss(
    coefficients: Tensor,
    prototypes: Tensor,
    instance_rows: Tensor,
    targets: Targets,
    *,
    stride: int,
) -> Tensor:
    """Return the sum, over positives, of the cross-entropy inside the box per pixel of the box.

    With logits z = c . p and a bitmap g, cross-entropy is softplus(z) - g * z. Logits are made
    only for the cells of the instance's box, so that time and memory follow the size of the
    objects, not the size of the image.

    Args:
        coefficients: (A, P), one row a positive.
        prototypes: (N, P, h, w).
        instance_rows: (A,) int64, image * G + instance of each positive.
        targets: The labelled instances; bitmaps have the prototypes' resolution.
        stride: Pixels of the network input that a cell is wide and high.
    """
    num_prototypes, height, width = prototypes.shape[1:]
    boxes = targets.boxes.reshape([-1, 4]).numpy()
    rows_of_positives = instance_rows.numpy()
    instances, num_positives = np.unique(rows_of_positives, return_counts=True)
    cells = _box_cells(boxes[instances] / stride, instances, targets.boxes.shape[1], height, width)

    order = paddle.to_tensor(np.argsort(rows_of_positives, kind="stable"))
    prototype_rows = paddle.to_tensor(cells.prototype_rows)
    inside = prototypes.transpose([0, 2, 3, 1]).reshape([-1, num_prototypes])[prototype_rows]
    bitmaps = targets.masks.flatten()[paddle.to_tensor(cells.mask_rows)].astype(inside.dtype)
    losses = [
        _summed_cross_entropy(c @ p.T, g)
        for c, p, g in zip(
            coefficients[order].split(num_positives.tolist()),  # (a, P) each
            inside.split(cells.counts),  # (q, P) each
            bitmaps.split(cells.counts),  # (q,) each
            strict=True,
        )
    ]
    sides = boxes[instances, 2:] - boxes[instances, :2]
    cell_shares = stride**2 / sides.prod(axis=1)  # (I,) of the box, that one cell covers
    return (paddle.stack(losses) * paddle.to_tensor(cell_shares)).sum()


def _summed_cross_entropy(logits: Tensor, bitmap: Tensor) -> Tensor:
    """Return the cross-entropy of logits (a, q) against one bitmap (q,) that all rows share."""
    return F.softplus(logits).sum() - (logits @ bitmap).sum()


def _box_cells(
    boxes: NDArray[np.float32],
    instance_rows: NDArray[np.int64],
    instances_per_image: int,
    height: int,
    width: int,
) -> BoxCells:
    """List the cells (row, column) of an h x w map with x1 <= column < x2 and y1 <= row < y2.

    Args:
        boxes: (I, 4) in cells.
        instance_rows: (I,) image * G + instance.
        instances_per_image: G.
        height: h.
        width: w.
    """
    cells = []
    for box in np.ceil(boxes).astype(np.int64):
        x1, x2 = box[[0, 2]].clip(0, width)
        y1, y2 = box[[1, 3]].clip(0, height)
        cells.append((np.arange(y1, y2)[:, None] * width + np.arange(x1, x2)).ravel())
    counts = [len(block) for block in cells]
    within = np.concatenate(cells)
    images = instance_rows // instances_per_image
    return BoxCells(
        np.repeat(images, counts) * height * width + within,
        np.repeat(instance_rows, counts) * height * width + within,
        counts,
    )
