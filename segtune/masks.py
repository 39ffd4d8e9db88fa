"""The forms of a mask and the ways between them: polygons, run lengths, bitmaps.

Shapes: n masks, R runs, H x W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


class Rle(TypedDict):
    """A compressed COCO run-length encoding, column by column."""

    size: list[int]  # height, width
    counts: str


# `segmentation` of a COCO annotation: rings of flat x, y pairs; or RLE, compressed or not.
Segmentation = Sequence[Sequence[float]] | dict[str, Any]

LONGEST_OUTLINE_PX = 2_000_000
"""Of a ring, beyond which it is no outline of anything and must not be rasterised.

Measured: pycocotools takes 2 GB and 45 s for 40 million, and ends the process at 120 million.
"""

# Compressed counts are groups of characters with five bits each, lowest first.
_FIRST_CHARACTER = 48
_MORE_FOLLOWS = 0x20
_SIGN = 0x10
_LONGEST_GROUP = 7  # 35 bits: COCO counts have 32 and a sign


def encode(bitmap: NDArray[np.bool_]) -> Rle:
    """Return the RLE of a bitmap (H, W)."""
    return encode_all(bitmap[None])[0]


def encode_all(bitmaps: NDArray[np.bool_]) -> tuple[Rle, ...]:
    """Return the RLEs of bitmaps (n, H, W)."""
    if len(bitmaps) == 0:
        return ()
    columns_first = np.asfortranarray(bitmaps.transpose(1, 2, 0), dtype=np.uint8)  # (H, W, n)
    return tuple(_as_text(rle) for rle in coco_mask.encode(columns_first))


def decode(rle: Rle) -> NDArray[np.bool_]:
    """Return the bitmap (H, W) of an RLE."""
    height, width = rle["size"]
    bitmap: NDArray[np.bool_] = decode_all([rle], (height, width))[0]
    return bitmap


def decode_all(rles: Sequence[Rle], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the bitmaps (n, H, W) of RLEs that all have `size_hw`.

    Raises:
        ValueError: An RLE has another size; only a bug can cause this.
    """
    if any(tuple(rle["size"]) != size_hw for rle in rles):
        raise ValueError(f"sizes {[rle['size'] for rle in rles]} are not all {size_hw}")
    if not rles:
        return np.zeros((0, *size_hw), dtype=np.bool_)
    decoded: NDArray[np.uint8] = coco_mask.decode(list(rles))  # (H, W, n)
    return np.ascontiguousarray(decoded.transpose(2, 0, 1)).view(np.bool_)  # (n, H, W)


def to_rle(segmentation: Segmentation, size_hw: tuple[int, int]) -> Rle:
    """Return any COCO segmentation as compressed RLE; rings of one instance are united."""
    height, width = size_hw
    if not isinstance(segmentation, dict):
        # One ring a call: pycocotools takes a list that starts with four numbers for boxes.
        rings = [coco_mask.frPyObjects([list(ring)], height, width)[0] for ring in segmentation]
        return _as_text(coco_mask.merge(rings)) if rings else _empty(size_hw)
    if isinstance(segmentation["counts"], str):
        return Rle(size=[height, width], counts=segmentation["counts"])
    return _as_text(coco_mask.frPyObjects(segmentation, height, width))


def rasterise(segmentation: Segmentation, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return any COCO segmentation as bitmap (H, W)."""
    return decode(to_rle(segmentation, size_hw))


def area(segmentation: Segmentation, size_hw: tuple[int, int]) -> float:
    """Return the number of pixels that any COCO segmentation covers."""
    return float(coco_mask.area(to_rle(segmentation, size_hw)))


def outline_lengths(points: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the lengths (k,) of closed rings in pixels, along the longer axis of each edge.

    Args:
        points: Of all rings, (P, 2), finite.
        starts: Of each ring in `points`, and the end of the last, (k + 1,); no ring is empty.
    """
    following = np.arange(1, len(points) + 1)
    following[starts[1:] - 1] = starts[:-1]
    edges = np.abs(points[following] - points).max(axis=1)  # (P,)
    lengths: NDArray[np.float64] = np.add.reduceat(edges, starts[:-1])
    return lengths


def run_lengths(counts: str) -> NDArray[np.int64]:
    """Return the run lengths (R,) that compressed COCO counts stand for, background first.

    pycocotools reads such text without looking at it and may touch memory that is not its own;
    this function is the door for text from outside.

    Raises:
        ValueError: The text is not compressed counts.
    """
    codepoints = np.frombuffer(counts.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = codepoints.astype(np.int64) - _FIRST_CHARACTER
    if len(codes) == 0:
        return np.zeros(0, np.int64)
    if codes.min() < 0 or codes.max() >= 2 * _MORE_FOLLOWS:
        raise ValueError("a character that compressed counts do not have")
    last = np.flatnonzero((codes & _MORE_FOLLOWS) == 0)  # (R,)
    if len(last) == 0 or last[-1] != len(codes) - 1:
        raise ValueError("the last count is cut off")
    first = np.concatenate([[0], last[:-1] + 1])  # (R,)
    if (last - first).max() >= _LONGEST_GROUP:
        raise ValueError("a count that is far too large")
    position = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((codes & 0x1F) << (5 * position), first)  # (R,)
    negative = (codes[last] & _SIGN) != 0
    values -= negative * (np.int64(1) << (5 * (last - first + 1)))
    # From the fourth on, a count is stored as its difference to the one two before.
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    return values


def decode_box(rle: Rle, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return the part of a mask that lies in a box, without decoding the rest.

    Args:
        rle: A mask (H, W).
        box: Left, top, right, bottom in whole pixels, right and bottom exclusive; what lies
            beyond the image is cut off.
    """
    height, width = rle["size"]
    left, top, right, bottom = box
    rows = np.arange(max(top, 0), min(bottom, height))
    columns = np.arange(max(left, 0), min(right, width))
    return sample(rle, rows, columns)


def sample(rle: Rle, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask (H, W) at some rows and columns of it: (rows, columns).

    Memory follows what is asked for and the number of runs, not the size of the image.
    """
    height = rle["size"][0]
    sampled = np.zeros((len(columns), len(rows)), np.bool_)
    if sampled.size == 0:
        return sampled.T
    edges = run_lengths(rle["counts"]).cumsum()  # (R,): where runs end
    for index, column in enumerate(columns):
        first, last = np.searchsorted(
            edges, [column * height + rows[0], column * height + rows[-1]], side="right"
        )
        if first == last:  # one run covers all that is asked for
            sampled[index] = first % 2 == 1
        else:
            runs = first + np.searchsorted(edges[first:last], column * height + rows, side="right")
            sampled[index] = runs % 2 == 1
    return sampled.T


def occupied_box(rle: Rle) -> tuple[int, int, int, int]:
    """Return the smallest box around a mask: left, top, right, bottom, the last two exclusive.

    An empty mask gives (0, 0, 0, 0).
    """
    left, top, width, height = coco_mask.toBbox(rle).tolist()
    return int(left), int(top), int(left + width), int(top + height)


def to_rings(rle: Rle) -> tuple[list[list[tuple[int, int]]], bool]:
    """Return the outlines of a mask's parts, along the edges of its pixels, and if it has holes.

    Each ring is a list of (x, y) corners; holes are not among the rings.
    """
    left, top, right, bottom = occupied_box(rle)
    window = decode_box(rle, (left, top, right, bottom)).astype(np.uint8)
    if window.size == 0:
        return [], False
    # Twice as large, the outline runs from pixel 2i on the left of pixel i to 2i + 1 on its right.
    doubled = window.repeat(2, axis=0).repeat(2, axis=1)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = []
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0], strict=True):
        if parent < 0:
            corners = (contour[:, 0] + 1) // 2 + np.array([left, top])  # (c, 2)
            rings.append([(int(x), int(y)) for x, y in corners])
    return rings, len(rings) < len(contours)


def encode_window(columns: NDArray[np.bool_], top: int, left: int, size_hw: tuple[int, int]) -> Rle:
    """Return the RLE of an image that is empty but for a window, given column by column.

    Args:
        columns: The window, transposed: (window width, window height).
        top: First row of the window in the image.
        left: First column of the window in the image.
        size_hw: Size of the image.
    """
    height, width = size_hw
    # A line of False on either end keeps the runs of neighbouring columns apart.
    padded = np.zeros((columns.shape[0], columns.shape[1] + 2), np.bool_)
    padded[:, 1:-1] = columns
    changes = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    column, row = np.divmod(changes, columns.shape[1] + 1)
    edges = (left + column) * height + top + row  # starts and ends of runs, alternating
    starts, ends = edges[0::2], edges[1::2]
    touching = np.flatnonzero(starts[1:] == ends[:-1])  # full columns side by side
    starts, ends = np.delete(starts, touching + 1), np.delete(ends, touching)
    edges = np.stack([starts, ends], axis=1).reshape(-1)
    counts = np.diff(edges, prepend=0, append=height * width)
    if counts[-1] == 0:  # as pycocotools writes a mask that ends in the last pixel
        counts = counts[:-1]
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return Rle(size=[height, width], counts=encoded["counts"].decode("ascii"))


def runs_of(counts: str | Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the run lengths (R,) of the counts of an RLE, compressed or not.

    Raises:
        ValueError: The text is not compressed counts.
    """
    return run_lengths(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)


def _empty(size_hw: tuple[int, int]) -> Rle:
    return encode(np.zeros(size_hw, dtype=np.bool_))


def _as_text(rle: dict[str, Any]) -> Rle:
    height, width = rle["size"]
    return Rle(size=[int(height), int(width)], counts=rle["counts"].decode("ascii"))
