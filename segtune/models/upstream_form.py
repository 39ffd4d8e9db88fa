"""The form in which PaddleX feeds and reads a network: boxes and masks of the original image.

Shapes: N images, R rows, H x W largest original image, h x w network input, p x q mask map.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor, nn

from segtune.models.segmenter import InstanceSegmenter
from segtune.models.spare_row import with_spare_row
from segtune.models.upstream_masks import boxed_masks, cut_masks, uncut_masks
from segtune.outputs import MaskFrame


class _Rows(NamedTuple):
    """What masks are made from, row by row."""

    logits: Tensor  # (R, p, q)
    boxes: Tensor  # (R, 4), in pixels of the network input
    clipped: Tensor  # (R, 4), in pixels of the original image, clipped to it
    image: Tensor  # (R,), 0..N-1


class UpstreamForm(nn.Layer):
    """A network wrapped in the post-process that PaddleX expects inside the graph.

    Masks of all N images share one canvas, as high and as wide as the largest image; each begins
    in its top left corner. Rows whose box has no area inside the image are left out, since PaddleX
    would drop their boxes but not their masks.
    """

    def __init__(self, network: InstanceSegmenter) -> None:
        super().__init__()
        self.network = network

    @paddle.jit.not_to_static  # traced as it runs: Paddle's rewriting knows no `zip(strict=True)`
    def forward(
        self, image: Tensor, im_shape: Tensor, scale_factor: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, how many each image has, and masks.

        Args:
            image: Network input (N, 3, h, w).
            im_shape: Height and width (N, 2) of the resized image, without padding.
            scale_factor: Resized by original size (N, 2), as height, width.

        Returns:
            `bbox` (R, 6) float32: label, score, then xyxy in pixels of the original image,
            clipped to it only where masks live inside their boxes, as in the reference;
            `bbox_num` (N,) int32; `mask` (R, H, W) float32 of zeros and ones.
        """
        outputs = self.network(image, im_shape)
        boxes, scores, labels, logits = (
            with_spare_row(rows) for rows in outputs[:4]
        )  # (R + 1, ...)
        image_of_row = _image_of_row(outputs.counts, paddle.shape(scores)[0])
        sizes_hw = paddle.round(im_shape / scale_factor)  # (N, 2)
        scaled, clipped = _boxes_in_image(boxes, image_of_row, scale_factor, sizes_hw)
        has_area = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
        kept = paddle.nonzero(has_area).flatten()  # (K,); never the spare row, which has no area
        chosen = paddle.concat([kept, paddle.shape(has_area).astype("int64") - 1])  # (K + 1,)
        rows = _Rows(logits, boxes, clipped, image_of_row)
        rows = _Rows(*(paddle.gather(column, chosen) for column in rows))
        masks = self._masks(rows, sizes_hw, im_shape, image.shape[2:])
        shown = clipped if self.network.mask_frame is MaskFrame.BOX else scaled
        columns = [labels.astype("float32").unsqueeze(1), scores.unsqueeze(1), shown]
        bbox = paddle.gather(paddle.concat(columns, axis=1), kept)  # (K, 6)
        images = paddle.arange(paddle.shape(im_shape)[0])
        is_own = paddle.gather(image_of_row, kept).unsqueeze(0) == images.unsqueeze(1)  # (N, K)
        counts = is_own.astype("int32").sum(axis=1).astype("int32")
        # Gathered, since oneDNN cannot slice to no rows.
        masks = paddle.gather(masks, paddle.arange(paddle.shape(kept)[0]))
        return bbox, counts, masks.astype("float32")

    def _masks(
        self, rows: _Rows, sizes_hw: Tensor, im_shape: Tensor, input_hw: list[int]
    ) -> Tensor:
        """Return bool masks (R, H, W); sizes (N, 2) of the images as they were and are."""
        frame = self.network.mask_frame
        if frame is MaskFrame.BOX:
            return boxed_masks(rows.logits, rows.clipped, sizes_hw)
        if frame is MaskFrame.INPUT:
            return cut_masks(rows.logits, rows.boxes, rows.image, sizes_hw, im_shape, input_hw)
        return uncut_masks(rows.logits, rows.image, sizes_hw)


def _image_of_row(counts: Tensor, num_rows: Tensor) -> Tensor:
    """Return the number of the image, 0..N-1, of each row; rows past the last are the last's."""
    ends = paddle.cumsum(counts.astype("int64"), axis=0)[:-1]  # (N - 1,)
    rows = paddle.arange(num_rows, dtype="int64")
    return (rows.unsqueeze(1) >= ends.unsqueeze(0)).astype("int64").sum(axis=1)


def _boxes_in_image(
    boxes: Tensor, image_of_row: Tensor, scale_factor: Tensor, sizes_hw: Tensor
) -> tuple[Tensor, Tensor]:
    """Return boxes (R, 4) in pixels of the original image, and the same clipped to it."""
    scales = paddle.gather(scale_factor, image_of_row)  # (R, 2) h, w
    sizes = paddle.gather(sizes_hw, image_of_row)
    # In double precision: oneDNN would divide in place, and the masks need the boxes as they are.
    scaled = boxes.astype("float64") / paddle.concat(
        [scales.flip(1), scales.flip(1)], axis=1
    ).astype("float64")
    limits = paddle.concat([sizes.flip(1), sizes.flip(1)], axis=1).astype("float64")
    clipped = paddle.minimum(scaled.clip(min=0), limits)
    return scaled.astype("float32"), clipped.astype("float32")
