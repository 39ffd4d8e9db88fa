"""Rings that enclose what their author meant: once around, without crossing themselves.

Shapes: P points and k rings of one chunk.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog
from segtune.data.instance_places import image_name, ring_place
from segtune.data.mask_measures import signed_areas
from segtune.data.rings import RingChunk, iterate_rings

# Outlines traced around pixels cross themselves in single pixels, and lose nothing by it.
_NEGLIGIBLE_PX = 4.0
_NEGLIGIBLE_SHARE = 0.02
_FLAT_PX = 0.01


def check_rings(dataset: CocoDataset, log: FindingLog) -> None:
    """Note every ring that crosses itself, encloses nothing, or has a point twice in a row."""
    for chunk in iterate_rings(dataset):
        first_ring = int(dataset.table.first_rings[chunk.instances[0]])
        areas = np.abs(signed_areas(chunk))  # (k,)
        flat = areas < _FLAT_PX
        doubtful, filled = _crossing(chunk, np.flatnonzero(~flat))
        lost = np.abs(filled - areas[doubtful])
        limit = np.maximum(_NEGLIGIBLE_PX, _NEGLIGIBLE_SHARE * areas[doubtful])
        crossing = np.zeros(len(chunk), bool)
        crossing[doubtful[lost > limit]] = True
        # A bow tie's halves cancel out: it encloses nothing by one measure, but crosses itself.
        bow_ties, filled = _crossing(chunk, np.flatnonzero(flat))
        crossing[bow_ties[filled > _NEGLIGIBLE_PX]] = True
        for code, broken in (
            ("polygon-self-crossing", crossing),
            ("polygon-no-area", flat & ~crossing),
            ("polygon-repeated-point", _repeats_a_point(chunk)),
        ):
            for ring in np.flatnonzero(broken).tolist():
                row = int(chunk.instances[ring])
                place = ring_place(dataset, row, first_ring + ring)
                log.add(code, place, image_name(dataset, row))


def _crossing(
    chunk: RingChunk, rings: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which of some rings touch or cross themselves, and what those fill by even-odd."""
    polygons = as_polygons(chunk, rings)
    invalid = ~shapely.is_valid(polygons)
    return rings[invalid], shapely.area(shapely.make_valid(polygons[invalid]))


def as_polygons(chunk: RingChunk, rings: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return some rings of a chunk as shapely polygons."""
    lengths = np.diff(chunk.starts)[rings]
    owner = np.repeat(np.arange(len(rings)), lengths)
    offset = np.repeat(chunk.starts[rings] - (lengths.cumsum() - lengths), lengths)
    points = chunk.points[np.arange(len(owner)) + offset]
    polygons: NDArray[np.object_] = shapely.polygons(shapely.linearrings(points, indices=owner))
    return polygons


def _repeats_a_point(chunk: RingChunk) -> NDArray[np.bool_]:
    """Return which rings (k,) have equal points in a row; closing a ring is not counted."""
    same = (chunk.points[1:] == chunk.points[:-1]).all(axis=1)  # (P - 1,)
    same[chunk.starts[1:-1] - 1] = False  # the last point of a ring and the first of the next
    return np.asarray(np.logical_or.reduceat(np.append(same, False), chunk.starts[:-1]))
