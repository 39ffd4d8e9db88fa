"""The form in which PaddleX feeds and reads a network: boxes and masks of the original image.

Enlarging a map is linear and works on rows and columns apart, so a mask is `rows @ map @
columns.T`. That needs no interpolation operator, which Paddle 3.3.1 cannot run under oneDNN. Where
masks are cut at their boxes, the reference enlarges probabilities to the network input, sets them
to zero outside the box and enlarges them to the image; else it enlarges logits to the image.

Shapes: N images, R rows, H x W largest original image, h x w network input, p x q mask map.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.segmenter import InstanceSegmenter
from segtune.models.spare_row import with_spare_row
from segtune.models.upsample import linear_weights
from segtune.outputs import MaskFrame

MASK_THRESHOLD = 0.5  # probability, strict; as in the reference


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
            `bbox` (R, 6) float32: label, score, then xyxy in pixels of the original image, not
            clipped; `bbox_num` (N,) int32; `mask` (R, H, W) float32 of zeros and ones.
        """
        outputs = self.network(image)
        boxes, scores, labels, logits = (
            with_spare_row(rows) for rows in outputs[:4]
        )  # (R + 1, ...)
        image_of_row = _image_of_row(outputs.counts, paddle.shape(scores)[0])
        sizes_hw = paddle.round(im_shape / scale_factor)  # (N, 2)
        scaled, in_image = _boxes_in_image(boxes, image_of_row, scale_factor, sizes_hw)
        kept = paddle.nonzero(in_image).flatten()  # (K,); never the spare row, which has no area
        chosen = paddle.concat([kept, paddle.shape(in_image).astype("int64") - 1])  # (K + 1,)
        masks = _masks(
            paddle.gather(logits, chosen),
            paddle.gather(boxes, chosen),
            paddle.gather(image_of_row, chosen),
            sizes_hw,
            im_shape,
            image.shape[2:],
            is_cut=self.network.mask_frame is MaskFrame.INPUT,
        )
        columns = [labels.astype("float32").unsqueeze(1), scores.unsqueeze(1), scaled]
        bbox = paddle.gather(paddle.concat(columns, axis=1), kept)  # (K, 6)
        images = paddle.arange(paddle.shape(im_shape)[0])
        is_own = paddle.gather(image_of_row, kept).unsqueeze(0) == images.unsqueeze(1)  # (N, K)
        counts = is_own.astype("int32").sum(axis=1).astype("int32")
        # Gathered, since oneDNN cannot slice to no rows.
        masks = paddle.gather(masks, paddle.arange(paddle.shape(kept)[0]))
        return bbox, counts, masks.astype("float32")


def _image_of_row(counts: Tensor, num_rows: Tensor) -> Tensor:
    """Return the number of the image, 0..N-1, of each row; rows past the last are the last's."""
    ends = paddle.cumsum(counts.astype("int64"), axis=0)[:-1]  # (N - 1,)
    rows = paddle.arange(num_rows, dtype="int64")
    return (rows.unsqueeze(1) >= ends.unsqueeze(0)).astype("int64").sum(axis=1)


def _boxes_in_image(
    boxes: Tensor, image_of_row: Tensor, scale_factor: Tensor, sizes_hw: Tensor
) -> tuple[Tensor, Tensor]:
    """Return boxes (R, 4) in pixels of the original image, and whether they have area in it."""
    scales = paddle.gather(scale_factor, image_of_row)  # (R, 2) h, w
    sizes = paddle.gather(sizes_hw, image_of_row)
    # In double precision: oneDNN would divide in place, and the masks need the boxes as they are.
    scaled = boxes.astype("float64") / paddle.concat(
        [scales.flip(1), scales.flip(1)], axis=1
    ).astype("float64")
    limits = paddle.concat([sizes.flip(1), sizes.flip(1)], axis=1).astype("float64")
    clipped = paddle.minimum(scaled.clip(min=0), limits)
    has_area = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    return scaled.astype("float32"), has_area


def _masks(
    logits: Tensor,
    boxes: Tensor,
    image_of_row: Tensor,
    sizes_hw: Tensor,
    im_shape: Tensor,
    input_hw: list[int],
    *,
    is_cut: bool,
) -> Tensor:
    """Return bool masks (R, H, W); boxes (R, 4) in pixels of the network input."""
    if is_cut:
        rows, columns = (
            _cut_axis_factor(
                boxes[:, 1 - axis],
                boxes[:, 3 - axis],
                image_of_row,
                sizes_hw[:, axis],
                im_shape[:, axis],
                input_hw[axis],
                logits.shape[1 + axis],
            )
            for axis in (0, 1)
        )
        wide = paddle.matmul(F.sigmoid(logits), columns, transpose_y=True)  # (R, p, W)
        return paddle.matmul(rows, wide) > MASK_THRESHOLD  # (R, H, W)
    rows, columns = (
        paddle.gather(_axis_factor(sizes_hw[:, axis], logits.shape[1 + axis]), image_of_row)
        for axis in (0, 1)
    )
    wide = paddle.matmul(logits, columns, transpose_y=True)
    return paddle.matmul(rows, wide) > 0


def _axis_factor(sizes: Tensor, num_cells: int) -> Tensor:
    """Return what the pixels of one axis take from cells of the map (N, L, k).

    Shapes: L pixels of the canvas along this axis, k cells of the map.

    Args:
        sizes: Size (N,) of each original image along this axis; pixels past it take nothing.
        num_cells: Size of the mask map.
    """
    pixels = paddle.arange(sizes.max().astype("int64"), dtype="int64").astype("float32")
    sizes = sizes.unsqueeze(1)  # (N, 1)
    weights = linear_weights(pixels.unsqueeze(0), sizes.unsqueeze(2), num_cells)
    return weights * (pixels < sizes).astype("float32").unsqueeze(2)


def _cut_axis_factor(
    low: Tensor,
    high: Tensor,
    image_of_row: Tensor,
    sizes: Tensor,
    resized_sizes: Tensor,
    num_inputs: int,
    num_cells: int,
) -> Tensor:
    """Join the two resizes and the crop of one axis: what pixels take from cells of the map.

    Shapes: L pixels of the canvas along this axis, k cells of the map.

    Args:
        low: First side (R,) of each box, in pixels of the network input.
        high: Last side (R,).
        image_of_row: Image of each row (R,).
        sizes: Size (N,) of each original image along this axis.
        resized_sizes: The same on the network input (N,).
        num_inputs: Size of the network input.
        num_cells: Size of the mask map.

    Returns:
        Weights (R, L, k).
    """
    num_images = paddle.shape(sizes)[0]
    pixels = paddle.arange(sizes.max().astype("int64"), dtype="int64").astype("float32")
    ratio = (resized_sizes / sizes).unsqueeze(1)  # (N, 1)
    source = ((pixels + 0.5) * ratio - 0.5).clip(0, num_inputs - 1)  # (N, L)
    below = source.floor()
    above = (below + 1).clip(max=num_inputs - 1)
    share_above = source - below
    shares = paddle.concat([1 - share_above, share_above])  # (2N, L)
    shares *= (pixels < paddle.concat([sizes, sizes]).unsqueeze(1)).astype("float32")
    positions = paddle.concat([below, above])  # (2N, L)
    hats = linear_weights(positions, num_inputs, num_cells) * shares.unsqueeze(2)  # (2N, L, k)
    is_own = image_of_row.unsqueeze(1) == paddle.arange(num_images, dtype=image_of_row.dtype)
    positions = positions.t().unsqueeze(1)  # (L, 1, 2N)
    chosen = (positions >= low.reshape([1, -1, 1])) & (positions < high.reshape([1, -1, 1]))
    chosen &= paddle.concat([is_own, is_own], axis=1)  # (L, R, 2N)
    # One product picks and adds the terms of every row: ten times as fast as gathers and sums.
    weights = paddle.matmul(chosen.astype("float32"), hats.transpose([1, 0, 2]))  # (L, R, k)
    return weights.transpose([1, 0, 2])  # (R, L, k)
