"""An image whose objects are known by their colour, to see where augmentation takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.drawing import run_lengths

COLOURS = ((250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0))


def draw_objects() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a black image (120, 160, 3) and the masks (4, 120, 160) of what is on it.

    One object has a hole, one is in two parts, one is a triangle, one touches two edges.
    """
    masks = np.zeros((4, 120, 160), dtype=bool)
    masks[0, 10:50, 12:62] = True
    masks[0, 20:38, 25:45] = False
    masks[1, 60:80, 5:30] = True
    masks[1, 90:105, 25:55] = True
    masks[2, 20:90, 90:120] = np.tri(70, 30, dtype=bool)
    masks[3, 100:, 110:] = True
    image = np.zeros((120, 160, 3), np.uint8)
    for mask, colour in zip(masks, COLOURS, strict=True):
        image[mask] = colour
    return image, masks


def boxes_of(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the boxes (n, 4) of masks (n, H, W) that are not empty."""
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.array(boxes, np.float32).reshape(-1, 4)


def rle_of(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Return the uncompressed RLE of a mask (H, W), as an annotation file has it."""
    return {"size": list(mask.shape), "counts": run_lengths(mask)}
