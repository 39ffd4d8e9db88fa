"""A network whose masks live inside their boxes, for tests of what follows such a network."""

from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import ArrayLike
from paddle import Tensor

from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import MaskFrame, Outputs

BOXES_UNIT = np.asarray(
    [
        [0, 0, 1, 1],
        [0.1, 0.2, 0.6, 0.7],
        [-0.3, -0.2, 0.5, 1.4],  # over three borders
        [0.5, 0.5, 0.505, 0.52],  # below a pixel
        [1.2, 0, 1.4, 0.3],  # outside
        [0.25, 0.3, 0.25, 0.9],  # without area
        [0.7, 0.1, 0.95, 0.4],
    ],
    np.float32,
)
SHOWN = [0, 1, 2, 3, 6]  # of BOXES_UNIT, those that have area in the image


class BoxedRows(InstanceSegmenter):
    """Finds the same boxes on every image but a black one, which shows nothing.

    Rows are labelled 0, 1, 2..., and have falling scores from 0.9 on.

    Args:
        boxes_unit: (B, 4) xyxy, in parts of the image without its padding.
        logits: Of their masks, (B, p, q); default: random ones.
    """

    size_divisor = 1
    mask_stride = 1
    mask_frame = MaskFrame.BOX
    architecture = "RCNN"

    def __init__(self, boxes_unit: ArrayLike = BOXES_UNIT, logits: ArrayLike | None = None) -> None:
        super().__init__()
        boxes = np.asarray(boxes_unit, np.float32)
        if logits is None:
            logits = 3 * np.random.default_rng(0).standard_normal((len(boxes), 14, 14))
        self.boxes = self.create_parameter(boxes.shape)
        self.boxes.set_value(boxes)
        self.maps = self.create_parameter(np.shape(logits))
        self.maps.set_value(np.asarray(logits, np.float32))

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        num_boxes = self.boxes.shape[0]
        shows = self.shows(images).astype("int32")
        found = paddle.nonzero(shows.unsqueeze(1).expand([-1, num_boxes]).flatten()).flatten()
        row = found % num_boxes
        # Gathered from all images and boxes, as oneDNN cannot compute with no rows.
        scores = 0.9 - 0.01 * paddle.arange(num_boxes, dtype="float32")
        return Outputs(
            paddle.gather(self.boxes_of(sizes_hw).flatten(0, 1), found),
            paddle.gather(scores, row),
            row,
            paddle.gather(self.maps, row),
            shows * num_boxes,
        )

    def shows(self, images: Tensor) -> Tensor:
        """Return (N,) bool, false for black images."""
        return images.mean(axis=[1, 2, 3]) > 0

    def boxes_of(self, sizes_hw: Tensor | None) -> Tensor:
        """Return the boxes (N, B, 4) of images of any sizes (N, 2)."""
        assert sizes_hw is not None
        return self.boxes * paddle.concat([sizes_hw.flip(1)] * 2, axis=1).unsqueeze(1)
