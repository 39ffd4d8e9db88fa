"""Maps of rows enlarged to masks of original images, as PaddleX wants them in the graph.

Enlarging a map is linear and works on rows and columns apart, so a mask is `rows @ map @
columns.T`. That needs no interpolation operator, which Paddle 3.3.1 cannot run under oneDNN. Masks
of all images share one canvas, as high and as wide as the largest of these; each begins in its top
left corner.

Shapes: N images, R rows, H x W canvas, L pixels of it along one axis, p x q map, k cells of it
along one axis.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from segtune.models.upsample import linear_weights

MASK_THRESHOLD = 0.5  # probability; strict but for masks inside boxes, as in the reference


def boxed_masks(logits: Tensor, boxes: Tensor, sizes_hw: Tensor) -> Tensor:
    """Return bool masks (R, H, W) of maps that cover the inside of boxes.

    As in the reference, probabilities are laid into the box, and zeros around it.

    Args:
        logits: (R, p, q).
        boxes: (R, 4) in pixels of the original image, inside of it.
        sizes_hw: Of each original image (N, 2).
    """
    rows, columns = (
        _box_factor(
            boxes[:, 1 - axis], boxes[:, 3 - axis], sizes_hw[:, axis], logits.shape[1 + axis]
        )
        for axis in (0, 1)
    )
    return _enlarge(F.sigmoid(logits), rows, columns) >= MASK_THRESHOLD


def cut_masks(
    logits: Tensor,
    boxes: Tensor,
    image_of_row: Tensor,
    sizes_hw: Tensor,
    im_shape: Tensor,
    input_hw: list[int],
) -> Tensor:
    """Return bool masks (R, H, W) of maps that cover the network input, cut at boxes.

    As in the reference, probabilities are enlarged to the network input, set to zero outside the
    box and enlarged to the image.

    Args:
        logits: (R, p, q).
        boxes: (R, 4) in pixels of the network input.
        image_of_row: (R,).
        sizes_hw: Of each original image (N, 2).
        im_shape: Of the same on the network input (N, 2).
        input_hw: Size of the network input.
    """
    rows, columns = (
        _cut_factor(
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
    return _enlarge(F.sigmoid(logits), rows, columns) > MASK_THRESHOLD


def uncut_masks(logits: Tensor, image_of_row: Tensor, sizes_hw: Tensor) -> Tensor:
    """Return bool masks (R, H, W) of maps that cover the network input.

    As in the reference, logits are enlarged to the image.

    Args:
        logits: (R, p, q).
        image_of_row: (R,).
        sizes_hw: Of each original image (N, 2).
    """
    rows, columns = (
        paddle.gather(_uncut_factor(sizes_hw[:, axis], logits.shape[1 + axis]), image_of_row)
        for axis in (0, 1)
    )
    return _enlarge(logits, rows, columns) > 0


def _enlarge(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return values (R, H, W) of maps (R, p, q), by factors (R, H, p) and (R, W, q)."""
    wide = paddle.matmul(maps, columns, transpose_y=True)  # (R, p, W)
    return paddle.matmul(rows, wide)


def _pixels(sizes: Tensor) -> Tensor:
    """Return the numbers (L,) of the canvas' pixels along an axis with images of sizes (N,)."""
    return paddle.arange(sizes.max().astype("int64"), dtype="int64").astype("float32")


def _box_factor(low: Tensor, high: Tensor, sizes: Tensor, num_cells: int) -> Tensor:
    """Return what pixels take from the cells that fill low..high; beyond these all is zero.

    No pixel past its image reaches 0.5: its centre is outside the box, where it takes less than
    half of the outermost cell. Places are found as the reference finds them, in its order.

    Args:
        low: First side (R,) of each box, in pixels of the original image.
        high: Last side (R,).
        sizes: Size (N,) of each original image along this axis.
        num_cells: Size of the map.

    Returns:
        Weights (R, L, k).
    """
    low, high = low.unsqueeze(1), high.unsqueeze(1)  # (R, 1)
    places = (_pixels(sizes) + 0.5 - low) / (high - low) * 2 - 1  # (R, L), -1..1 in the box
    cells = ((places + 1) * num_cells - 1) / 2
    return F.relu(1 - (cells.unsqueeze(2) - paddle.arange(num_cells, dtype="float32")).abs())


def _uncut_factor(sizes: Tensor, num_cells: int) -> Tensor:
    """Return what the pixels of one axis take from cells of the map (N, L, k).

    Args:
        sizes: Size (N,) of each original image along this axis; pixels past it take nothing.
        num_cells: Size of the map.
    """
    pixels = _pixels(sizes)
    sizes = sizes.unsqueeze(1)  # (N, 1)
    weights = linear_weights(pixels.unsqueeze(0), sizes.unsqueeze(2), num_cells)
    return weights * (pixels < sizes).astype("float32").unsqueeze(2)


def _cut_factor(
    low: Tensor,
    high: Tensor,
    image_of_row: Tensor,
    sizes: Tensor,
    resized_sizes: Tensor,
    num_inputs: int,
    num_cells: int,
) -> Tensor:
    """Join the two resizes and the crop of one axis: what pixels take from cells of the map.

    Args:
        low: First side (R,) of each box, in pixels of the network input.
        high: Last side (R,).
        image_of_row: Image of each row (R,).
        sizes: Size (N,) of each original image along this axis.
        resized_sizes: The same on the network input (N,).
        num_inputs: Size of the network input.
        num_cells: Size of the map.

    Returns:
        Weights (R, L, k).
    """
    num_images = paddle.shape(sizes)[0]
    pixels = _pixels(sizes)
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
