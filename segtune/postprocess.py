"""Raw outputs of a network become the instances of an image, one box window at a time.

Where masks are cut at their boxes, the reference enlarges every probability map to the network
input, sets it to zero outside the box, enlarges it to the image and keeps what is above 0.5. Where
they are not, it enlarges logits to the image and keeps what is above 0. Where they live inside
their boxes, it lays the probability map into the box and keeps what is 0.5 or more. All of these
steps are linear, and work on rows and columns apart: a mask is `rows @ map @ columns.T`, where
each factor is small, as it covers the box only, or what of the map is above 0. Cost follows the
instances, not the picture.

Shapes: R rows, H x W image, h x w network input, p x q mask map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.instances import Instances
from segtune.masks import Rle, encode_window
from segtune.outputs import MaskFrame, Outputs
from segtune.preprocess import Geometry

MASK_THRESHOLD = 0.5  # probability; strict but for masks inside boxes, as in the reference
_BLOCK = 128  # pixels


def split_rows(outputs: Outputs) -> list[Outputs]:
    """Return the rows of each of the N images, in order."""
    counts = np.asarray(outputs.counts)
    ends = np.cumsum(counts)
    return [
        Outputs(
            outputs.boxes[start:end],
            outputs.scores[start:end],
            outputs.labels[start:end],
            outputs.mask_logits[start:end],
            counts[image : image + 1],
        )
        for image, (start, end) in enumerate(zip(ends - counts, ends, strict=True))
    ]


def instances_of(
    rows: Outputs,
    geometry: Geometry,
    *,
    mask_frame: MaskFrame,
    threshold: float = 0.0,
    max_instances: int | None = None,
    mask_threshold: float = MASK_THRESHOLD,
) -> Instances:
    """Return the instances of one image, by descending score.

    Rows whose box has no area inside the image are left out, with their masks.

    Args:
        rows: Arrays of one image; boxes in pixels of the network input.
        geometry: How the image was laid on the network input.
        mask_frame: What the mask logits cover.
        threshold: Scores must be above this, not equal to it.
        max_instances: Keep so many of the highest scores; all if None.
        mask_threshold: Probabilities of the pixels of a mask are above this; where masks live
            inside their boxes, they may equal it.
    """
    kept = np.flatnonzero(rows.scores > threshold)
    boxes = _boxes_in_image(rows.boxes[kept], geometry)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    kept, boxes = kept[has_area], boxes[has_area]
    order = np.argsort(-rows.scores[kept], kind="stable")[:max_instances]
    kept, boxes = kept[order], boxes[order]
    return Instances(
        boxes,
        rows.scores[kept].astype(np.float32),
        rows.labels[kept].astype(np.int64),
        _masks(rows, kept, boxes, geometry, mask_frame, mask_threshold),
        geometry.original_hw,
    )


def _boxes_in_image(boxes: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Return boxes (R, 4) of the network input in pixels of the image, clipped to it."""
    scale_h, scale_w = geometry.scale_hw
    height, width = geometry.original_hw
    in_image = boxes / np.asarray([scale_w, scale_h, scale_w, scale_h], np.float32)
    return np.asarray(in_image.clip(0, [width, height, width, height]), np.float32)


def _masks(
    rows: Outputs,
    kept: NDArray[np.int64],
    boxes: NDArray[np.float32],
    geometry: Geometry,
    mask_frame: MaskFrame,
    threshold: float,
) -> tuple[Rle, ...]:
    """Return the masks (H, W) of the rows `kept`, whose boxes in the image are `boxes`."""
    logits = rows.mask_logits
    if mask_frame is MaskFrame.BOX:
        size_hw = geometry.original_hw
        pairs = zip(kept, boxes, strict=True)
        return tuple(_boxed_mask(logits[row], box, size_hw, threshold) for row, box in pairs)
    if mask_frame is MaskFrame.INPUT:
        return tuple(_cut_mask(logits[row], rows.boxes[row], geometry, threshold) for row in kept)
    return tuple(_uncut_mask(logits[row], geometry, threshold) for row in kept)


def _boxed_mask(
    logits: NDArray[np.float32],
    box: NDArray[np.float32],
    size_hw: tuple[int, int],
    threshold: float,
) -> Rle:
    """Return the mask (H, W) of one row: logits (p, q) over the inside of a box in the image."""
    rows, columns = (
        _box_factor(box[1 - axis], box[3 - axis], size_hw[axis], logits.shape[axis], threshold)
        for axis in (0, 1)
    )
    limit = float(np.nextafter(np.float32(threshold), np.float32(0)))  # what equals it counts
    mask = _is_above(limit, columns.weights, (rows.weights @ _sigmoid(logits)).T)
    return encode_window(mask, rows.first_pixel, columns.first_pixel, size_hw)


def _cut_mask(
    logits: NDArray[np.float32], box: NDArray[np.float32], geometry: Geometry, threshold: float
) -> Rle:
    """Return the mask (H, W) of one row: logits (p, q), box in pixels of the network input."""
    x1, y1, x2, y2 = (float(side) for side in box)
    scale_h, scale_w = geometry.scale_hw
    height, width = geometry.original_hw
    rows = _cut_factor(y1, y2, scale_h, height, geometry.input_hw[0], logits.shape[0])
    columns = _cut_factor(x1, x2, scale_w, width, geometry.input_hw[1], logits.shape[1])
    probabilities = _sigmoid(logits[rows.cells, columns.cells])
    # Transposed, as COCO counts run down the columns.
    mask = _is_above(threshold, columns.weights, (rows.weights @ probabilities).T)
    return encode_window(mask, rows.first_pixel, columns.first_pixel, geometry.original_hw)


@dataclass(frozen=True)
class _AxisFactor:
    """What the pixels of a window take from the cells of the mask map, along one axis."""

    first_pixel: int  # of the window, in the image
    cells: slice  # of the mask map
    weights: NDArray[np.float32]  # (pixels, cells)


def _uncut_mask(logits: NDArray[np.float32], geometry: Geometry, threshold: float) -> Rle:
    """Return the mask (H, W) of one row: logits (p, q) that cover the whole image."""
    limit = float(np.log(threshold / (1 - threshold)))
    above = logits > limit
    if not above.any():
        return encode_window(np.zeros((0, 0), np.bool_), 0, 0, geometry.original_hw)
    rows, columns = (
        _uncut_factor(np.flatnonzero(above.any(axis=1 - axis)), logits.shape[axis], num_pixels)
        for axis, num_pixels in enumerate(geometry.original_hw)
    )
    window = logits[rows.cells, columns.cells]
    mask = _is_above(limit, columns.weights, (rows.weights @ window).T)
    return encode_window(mask, rows.first_pixel, columns.first_pixel, geometry.original_hw)


def _uncut_factor(occupied: NDArray[np.int64], num_cells: int, num_pixels: int) -> _AxisFactor:
    """Return what pixels take from cells, where any of these cells are occupied.

    A pixel between two cells is above a limit only where one of them is, so that a pixel more
    than a cell away from all that are occupied is not looked at.
    """
    scale = num_cells / num_pixels  # cells a pixel
    first = max(int(np.floor((occupied[0] - 0.5) / scale)) - 1, 0)
    last = min(int(np.ceil((occupied[-1] + 1.5) / scale)), num_pixels - 1)
    places = ((np.arange(first, last + 1) + 0.5) * scale - 0.5).clip(0, num_cells - 1)
    cells = slice(int(places[0]), int(np.ceil(places[-1])) + 1)
    grid = np.arange(cells.start, cells.stop)
    weights = np.maximum(1 - np.abs(places[:, None] - grid), 0)
    return _AxisFactor(first, cells, weights.astype(np.float32))


def _cut_factor(
    low: float, high: float, scale: float, num_pixels: int, num_inputs: int, num_cells: int
) -> _AxisFactor:
    """Join the two resizes and the crop of one axis: map to input, box low..high, input to image.

    Shapes: n pixels in the window, k cells under it.
    """
    # An input position counts when low <= position < high; its neighbours blend it into pixels.
    first = max(int(np.floor((low - 1.5) / scale)), 0)
    last = min(int(np.ceil((high + 1.5) / scale)), num_pixels - 1)
    pixels = np.arange(first, last + 1)
    source = ((pixels + 0.5) * scale - 0.5).clip(0, num_inputs - 1)
    below = np.floor(source)
    above = np.minimum(below + 1, num_inputs - 1)
    share_above = source - below
    stride = num_inputs / num_cells
    cell_below, cell_above = (
        ((side + 0.5) / stride - 0.5).clip(0, num_cells - 1) for side in (below, above)
    )
    cells = slice(int(cell_below[0]), int(np.ceil(cell_above[-1])) + 1)
    grid = np.arange(cells.start, cells.stop)
    weights = np.zeros((len(pixels), len(grid)), np.float32)
    for position, cell, share in (
        (below, cell_below, 1 - share_above),
        (above, cell_above, share_above),
    ):
        in_box = (position >= low) & (position < high)
        hat = np.maximum(1 - np.abs(cell[:, None] - grid), 0)  # (n, k)
        weights += hat * (in_box * share)[:, None]
    return _AxisFactor(first, cells, weights)


def _box_factor(
    low: np.float32, high: np.float32, num_pixels: int, num_cells: int, threshold: float
) -> _AxisFactor:
    """Return what pixels take from the cells that fill low..high; beyond these all is zero.

    A pixel takes no more than 0.5 - d from cells that begin d cells away from its centre, so that
    no mask reaches further than its threshold leaves it. Places are found as the reference finds
    them, in its order and precision, since large cells make much of small differences.
    """
    margin = max(0.5 - threshold, 0) * float(high - low) / num_cells + 1
    first = max(int(np.floor(low - margin)), 0)
    last = min(int(np.ceil(high + margin)), num_pixels - 1)
    centres = np.arange(first, last + 1, dtype=np.float32) + np.float32(0.5)
    places = (centres - low) / (high - low) * 2 - 1  # -1..1 in the box
    cells = ((places + 1) * num_cells - 1) / 2
    grid = np.arange(num_cells, dtype=np.float32)
    weights = np.maximum(1 - np.abs(cells[:, None] - grid), 0)
    return _AxisFactor(first, slice(num_cells), weights)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities, without overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)


def _is_above(
    threshold: float, weights: NDArray[np.float32], lines: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return where `weights @ lines` is above a threshold: (n, k) times (k, m) gives (n, m).

    Neighbouring pixels take from a few neighbouring cells only, so blocks of them need a small
    part of the product; on a photograph of 12 megapixels that is six times as fast as the whole.
    """
    above = np.zeros((len(weights), lines.shape[1]), np.bool_)
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        used = np.flatnonzero(block.any(axis=0))
        if len(used):
            cells = slice(used[0], used[-1] + 1)
            above[start : start + _BLOCK] = block[:, cells] @ lines[cells] > threshold
    return above
