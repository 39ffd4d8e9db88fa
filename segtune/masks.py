"""The forms of a mask and the ways between them: polygons, run lengths, bitmaps.

Shapes: n masks, R runs, H x W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


class Rle(TypedDict):
    """A compressed COCO run-length encoding, column by column."""

    size: list[int]  # height, width
    counts: str


# `segmentation` of a COCO annotation: rings of flat x, y pairs; or RLE, compressed or not.
Segmentation = Sequence[Sequence[float]] | dict[str, Any]

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


def _empty(size_hw: tuple[int, int]) -> Rle:
    return encode(np.zeros(size_hw, dtype=np.bool_))


def _as_text(rle: dict[str, Any]) -> Rle:
    height, width = rle["size"]
    return Rle(size=[int(height), int(width)], counts=rle["counts"].decode("ascii"))
