"""What every network returns: rows of all images one after the other, and how many each has.

Shapes: N images, R rows (detections of all N images), h x w mask map.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple


class MaskFrame(str, Enum):
    """What a row of mask logits covers, and which of it belongs to the mask."""

    INPUT = "input"  # the whole network input, at a stride; what lies outside the box is cut off
    INPUT_UNCUT = "input_uncut"  # the same, but the mask goes on outside the box
    BOX = "box"  # the inside of the row's box


class Outputs(NamedTuple):
    """Raw outputs of a network for N images, tensors or arrays alike.

    An image without detections has a count of zero and no row.
    """

    boxes: Any  # (R, 4) float32, xyxy in pixels of the network input, not clipped
    scores: Any  # (R,) float32, 0..1
    labels: Any  # (R,) int64, 0..K-1
    mask_logits: Any  # (R, h, w) float32, before the sigmoid
    counts: Any  # (N,) int32, rows of each image, in order
