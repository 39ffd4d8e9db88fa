"""Labelled instances in the form that the parts of Mask-RT-DETR want them."""

from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import ArrayLike

from segtune.models.mask_rt_detr.targets import UnitTargets


def unit_targets(labels: list[list[int]], masks: ArrayLike | None = None) -> UnitTargets:
    """Return instances with these labels in each image, and random boxes inside the image.

    Args:
        labels: Of the instances of each image.
        masks: (N, G, h, w); empty masks of 8 x 8 if None.
    """
    counts = [len(row) for row in labels]
    most = max(counts)
    random = np.random.default_rng(0)
    valid = np.arange(most) < np.asarray(counts)[:, None]
    padded = np.asarray([row + [0] * (most - len(row)) for row in labels], np.int64)
    shape = (len(labels), most)
    boxes = np.concatenate(
        [random.uniform(0.3, 0.7, (*shape, 2)), random.uniform(0.1, 0.4, (*shape, 2))], axis=2
    ).astype(np.float32)
    if masks is None:
        masks = np.zeros((*shape, 8, 8))
    return UnitTargets(
        paddle.to_tensor(boxes * valid[:, :, None]),
        paddle.to_tensor(padded.reshape(shape)),
        paddle.to_tensor(np.asarray(masks, np.uint8)),
        paddle.to_tensor(valid),
        counts,
    )
