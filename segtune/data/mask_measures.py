"""Where the masks of a split lie and how large they are, measured without drawing them.

Shapes: n instances of the split; P points and k rings of one chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.data.coco import CocoDataset
from segtune.data.rings import RingChunk, iterate_rings


@dataclass(frozen=True, eq=False, slots=True)
class MaskMeasures:
    """Extent and area of every mask, in rows as those of `dataset.table`."""

    extents: NDArray[np.float64]
    """(n, 4), boxes around the masks, cut at the image."""
    areas: NDArray[np.float64]
    """(n,), in pixels: what rings enclose, added up, and the pixels of an RLE."""
    leaves_image: NDArray[np.bool_]
    """(n,), whether a mask goes on beyond the edge of its image."""


def measure_masks(dataset: CocoDataset) -> MaskMeasures:
    """Return extent and area of all masks of a split."""
    table = dataset.table
    extents = np.zeros((len(table), 4))
    areas = np.zeros(len(table))
    for chunk in iterate_rings(dataset):
        first = np.flatnonzero(np.diff(chunk.instances, prepend=-1))  # ring of each instance
        rows = chunk.instances[first]
        around = ring_boxes(chunk)  # (k, 4)
        extents[rows, :2] = np.minimum.reduceat(around[:, :2], first)
        extents[rows, 2:] = np.maximum.reduceat(around[:, 2:], first)
        areas[rows] = np.add.reduceat(np.abs(signed_areas(chunk)), first)
    sizes_hw = image_sizes(dataset)[table.image_rows()]  # (n, 2)
    for row, rle in table.rles.items():
        runs = masks.runs_of(rle["counts"])
        extents[row] = boxes.runs_to_box(runs, int(sizes_hw[row, 0]))
        areas[row] = runs[1::2].sum()
    cut = boxes.clip(extents, sizes_hw)
    return MaskMeasures(cut, areas, (cut != extents).any(axis=1))


def ring_boxes(chunk: RingChunk) -> NDArray[np.float64]:
    """Return the boxes (k, 4) around rings."""
    lows = np.minimum.reduceat(chunk.points, chunk.starts[:-1])
    highs = np.maximum.reduceat(chunk.points, chunk.starts[:-1])
    return np.concatenate([lows, highs], axis=1)


def signed_areas(chunk: RingChunk) -> NDArray[np.float64]:
    """Return what rings (k,) enclose in square pixels, below zero where they run the other way.

    A part that a ring runs around twice counts twice; parts run around in opposite directions
    cancel out.
    """
    # From its first point, so that far from the origin no digits are lost.
    lengths = np.diff(chunk.starts)
    x, y = (chunk.points - np.repeat(chunk.points[chunk.starts[:-1]], lengths, axis=0)).T
    following = np.arange(1, len(x) + 1)
    following[chunk.starts[1:] - 1] = chunk.starts[:-1]
    twice: NDArray[np.float64] = np.add.reduceat(
        x * y[following] - x[following] * y, chunk.starts[:-1]
    )
    return twice / 2


def image_sizes(dataset: CocoDataset) -> NDArray[np.int64]:
    """Return the sizes (I, 2) of the images of a split, height and width."""
    sizes = [(image.height, image.width) for image in dataset.images]
    return np.array(sizes, np.int64).reshape(-1, 2)
