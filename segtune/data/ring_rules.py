"""Rings that enclose what their author meant: once around, without crossing themselves.

Shapes: P points and k rings of one chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shapely
from numpy.typing import NDArray

from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog
from segtune.data.instance_places import image_name, ring_place
from segtune.data.mask_measures import signed_areas
from segtune.data.ring_arrays import stretches
from segtune.data.rings import RingChunk, iterate_rings

Broken = list[tuple[str, NDArray[np.int64]]]
"""Rules, each with the rings of a chunk that break it."""

# Outlines traced around pixels cross themselves in single pixels, and lose nothing by it.
_NEGLIGIBLE_PX = 4.0
_NEGLIGIBLE_SHARE = 0.02
_FLAT_PX = 0.01


def check_rings(dataset: CocoDataset, log: FindingLog) -> None:
    """Note every ring that crosses itself, encloses nothing, or has a point twice in a row."""
    note_rings(dataset, _broken_rings, log)


def note_rings(dataset: CocoDataset, find: Callable[[RingChunk], Broken], log: FindingLog) -> None:
    """Note all rings that `find` returns for the chunks of a split.

    Chunks are looked at by several threads, as shapely releases the interpreter lock.
    """
    chunks = list(iterate_rings(dataset))  # views into the table
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk, broken in zip(chunks, pool.map(find, chunks), strict=True):
            first_ring = int(dataset.table.first_rings[chunk.instances[0]])
            for code, rings in broken:
                for ring in rings.tolist():
                    row = int(chunk.instances[ring])
                    place = ring_place(dataset, row, first_ring + ring)
                    log.add(code, place, image_name(dataset, row))


def _broken_rings(chunk: RingChunk) -> Broken:
    areas = np.abs(signed_areas(chunk))  # (k,)
    crossing = _crosses_itself(chunk, areas)
    return [
        ("polygon-self-crossing", np.flatnonzero(crossing)),
        ("polygon-no-area", np.flatnonzero((areas < _FLAT_PX) & ~crossing)),
        ("polygon-repeated-point", np.flatnonzero(_repeats_a_point(chunk))),
    ]


def outlines(chunk: RingChunk, rings: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return some rings of a chunk as closed lines of shapely."""
    lengths = np.diff(chunk.starts)[rings]
    points = chunk.points[stretches(chunk.starts[rings], lengths)]
    return np.asarray(
        shapely.linearrings(points, indices=np.repeat(np.arange(len(rings)), lengths))
    )


def _crosses_itself(chunk: RingChunk, areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rings (k,) enclose so much in opposite directions, or twice, that it matters.

    That is where the area by the shoelace formula (k,) is not the one that is filled by even-odd.
    """
    suspects = np.flatnonzero(~_is_star(chunk))
    lines = outlines(chunk, suspects)
    is_doubtful = ~shapely.is_simple(lines)
    doubtful = suspects[is_doubtful]
    filled = shapely.area(shapely.make_valid(shapely.polygons(lines[is_doubtful])))
    limit = np.maximum(_NEGLIGIBLE_PX, _NEGLIGIBLE_SHARE * areas[doubtful])
    crosses = np.zeros(len(chunk), bool)
    crosses[doubtful[np.abs(filled - areas[doubtful]) > limit]] = True
    return crosses


def _is_star(chunk: RingChunk) -> NDArray[np.bool_]:
    """Return which rings (k,) run around the mean of their points once, never turning back.

    These do not cross themselves. They are four of ten in COCO, and shapely takes ten times as
    long to find that.
    """
    starts, lengths = chunk.starts[:-1], np.diff(chunk.starts)
    centres = np.add.reduceat(chunk.points, starts) / lengths[:, None]  # (k, 2)
    x, y = (chunk.points - np.repeat(centres, lengths, axis=0)).T
    following = np.arange(1, len(x) + 1)
    following[chunk.starts[1:] - 1] = starts
    turns = x * y[following] - x[following] * y  # (P,), above zero from the x to the y axis
    one_way = (np.minimum.reduceat(turns, starts) > 0) | (np.maximum.reduceat(turns, starts) < 0)
    passes = (y < 0) & (y[following] >= 0)
    return np.asarray(one_way & (np.add.reduceat(passes.astype(np.int64), starts) == 1))


def _repeats_a_point(chunk: RingChunk) -> NDArray[np.bool_]:
    """Return which rings (k,) have equal points in a row; closing a ring is not counted."""
    same = (chunk.points[1:] == chunk.points[:-1]).all(axis=1)  # (P - 1,)
    same[chunk.starts[1:-1] - 1] = False  # the last point of a ring and the first of the next
    return np.asarray(np.logical_or.reduceat(np.append(same, False), chunk.starts[:-1]))
