"""A network that finds the same instances on every image, for tests of what follows a network."""

from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import ArrayLike, NDArray
from paddle import Tensor

from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import MaskFrame, Outputs

CELLS = 8  # of the mask map, along either axis


def full_sizes(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sizes (N, 2) of images that fill their network inputs (N, 3, h, w)."""
    return np.full((len(images), 2), images.shape[2:], np.float32)


class FixedRows(InstanceSegmenter):
    """Finds on image i, with i as its batch position, the i-th list of boxes, as label i.

    Rows have falling scores from 0.9 on, and masks that fill one half of the map: the left half
    in even rows, the right half in odd ones. Images past the last list show nothing.
    """

    size_divisor = 1
    mask_stride = 4
    mask_frame = MaskFrame.INPUT
    architecture = "PPYOLOE"

    def __init__(self, *boxes_of_images: ArrayLike) -> None:
        super().__init__()
        boxes = [np.asarray(boxes, np.float32).reshape(-1, 4) for boxes in boxes_of_images]
        self.counts = np.asarray([len(rows) for rows in boxes], np.int32)
        self.image_of_row = np.repeat(np.arange(len(boxes)), self.counts)
        self.boxes = self.create_parameter([max(sum(self.counts), 1), 4])
        if sum(self.counts):
            self.boxes.set_value(np.concatenate(boxes))

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        num_images = paddle.shape(images)[0]
        everywhere = paddle.to_tensor(self.image_of_row)
        rows = paddle.nonzero(everywhere < num_images).flatten()
        nothing = 0 * images.mean()
        cells = np.where(np.arange(CELLS) < CELLS // 2, 5.0, -5.0).astype(np.float32)
        halves = paddle.to_tensor(np.stack([cells, -cells]))
        logits = paddle.gather(halves, rows % 2).unsqueeze(1).expand([-1, CELLS, CELLS])
        scores = 0.9 - 0.01 * paddle.arange(max(sum(self.counts), 1), dtype="float32")
        counts = paddle.to_tensor(np.concatenate([self.counts, np.zeros(8, np.int32)]))
        return Outputs(
            paddle.gather(self.boxes + nothing, rows),
            paddle.gather(scores + nothing, rows),
            paddle.gather(everywhere, rows),
            logits * 1.0,
            counts[:num_images],
        )
