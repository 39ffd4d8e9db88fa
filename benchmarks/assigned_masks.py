"""How much memory the assigned masks of PP-YOLOE_seg take in a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from machine import Row

if TYPE_CHECKING:
    from paddle import Tensor

    from segtune.models.ppyoloe_seg.model import PpYoloeSeg

FLOAT_MB = 4 / 2**20  # of a float32
COLUMNS = {
    "positives an image": "positives_per_image",
    "assigned masks (MB an image)": "assigned_masks_mb_per_image",
    "largest tensor (MB)": "largest_mask_tensor_mb",
}


def measure_masks(step: Callable[[], object], network: PpYoloeSeg, num_images: int) -> Row:
    """Run one step and return how much memory its assigned masks take.

    Every instance brings its logits (positives, cells of its box), and for each of the cells a
    row of prototypes and a value of the bitmap, all float32.
    """
    from segtune.models.ppyoloe_seg import mask_loss

    loss_of_instance = mask_loss._summed_cross_entropy
    logit_shapes = []

    def recorded(logits: Tensor, bitmap: Tensor) -> Tensor:
        logit_shapes.append(logits.shape)
        return loss_of_instance(logits, bitmap)

    with mock.patch.object(mask_loss, "_summed_cross_entropy", recorded):
        step()
    positives, cells = np.asarray(logit_shapes).T
    prototypes_mb = cells.sum() * network.yolo_head.pred_ins[0].weight.shape[0] * FLOAT_MB
    logits_mb = positives * cells * FLOAT_MB
    assigned_mb = prototypes_mb + cells.sum() * FLOAT_MB + logits_mb.sum()
    return {
        "positives_per_image": round(float(positives.sum() / num_images), 1),
        "assigned_masks_mb_per_image": round(float(assigned_mb / num_images), 2),
        "largest_mask_tensor_mb": round(float(max(prototypes_mb, logits_mb.max())), 2),
    }
