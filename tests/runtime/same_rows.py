"""Whether a runtime finds the rows that the network finds, on inputs where that is decided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtune.agreement import Limits
from segtune.devices import Device
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import Outputs
from segtune.postprocess import split_rows
from segtune.runtime.dygraph import DygraphBackend
from tests.fixed_rows import full_sizes

CPU = Device("cpu")
SIDE = 64
COMPARED_ROWS = 40  # of each image, the best; the last ones may be others, for a bit of score
LIMITS = Limits(box_px=0.01, score=1e-5)
MAX_LOGIT = 1e-3  # of a mask, in parts of the largest


def steady_images(network: InstanceSegmenter, batch_size: int) -> NDArray[np.float32]:
    """Return images on which the network does not jump when they change in their last bits.

    Where it takes boxes around masks, a pixel whose logit is all but 0 moves one by a whole cell.
    """
    backend = DygraphBackend(network, CPU)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        images = rng.random((batch_size, 3, SIDE, SIDE)).astype(np.float32)
        nearby = images * (1 + 1e-5 * rng.standard_normal(images.shape)).astype(np.float32)
        before, after = (backend.run(array, full_sizes(images)) for array in (images, nearby))
        if is_same(after, before, Limits(box_px=0.1, score=1e-3)):
            return images
    raise AssertionError("the network jumps on every image")


def is_same(found: Outputs, expected: Outputs, limits: Limits = LIMITS) -> bool:
    """Return whether the best rows of each image are among those found, but for one in ten.

    Boxes of equal score may suppress each other either way, and random masks hang on last bits.
    """
    for ours, wanted in zip(split_rows(found), split_rows(expected), strict=True):
        num_rows = min(len(wanted.scores), COMPARED_ROWS)
        alike = sum(has_partner(ours, wanted, row, limits) for row in range(num_rows))
        if num_rows == 0 or alike < 0.9 * num_rows:
            return False
    return True


def has_partner(ours: Outputs, wanted: Outputs, row: int, limits: Limits) -> bool:
    """Return whether a row has its like among ours; rows of equal score may change places."""
    box_px = np.abs(ours.boxes - wanted.boxes[row]).max(axis=1)
    nearest = int(np.argmin(box_px + (ours.labels != wanted.labels[row]) * SIDE))
    logits, largest = wanted.mask_logits[row], np.abs(wanted.mask_logits[row]).max()
    return bool(
        box_px[nearest] < limits.box_px
        and ours.labels[nearest] == wanted.labels[row]
        and abs(ours.scores[nearest] - wanted.scores[row]) < limits.score
        and np.abs(ours.mask_logits[nearest] - logits).max() < MAX_LOGIT * largest
    )
