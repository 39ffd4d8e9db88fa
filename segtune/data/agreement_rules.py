"""What a file states of an instance twice, set against its mask: the box and the area.

Shapes: n instances of the split.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segtune import boxes
from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog
from segtune.data.instance_places import image_name, place_of
from segtune.data.mask_measures import MaskMeasures, image_sizes
from segtune.data.tolerances import area_tolerance, box_tolerance

_EQUAL_PX = 1.0
_EQUAL_SHARE = 0.01
_RECTANGULAR = 0.99  # of its box that a mask fills
_MOST = 0.5
_NEARLY_ALL = 0.8
_FEWEST = 10  # instances that say something of a whole split


def check_agreement(dataset: CocoDataset, measures: MaskMeasures, log: FindingLog) -> None:
    """Note what is not that of the mask, masks that are their boxes, and outlines of crowds."""
    _check_boxes(dataset, measures, log)
    _check_areas(dataset, measures, log)
    _check_rectangles(dataset, measures, log)
    has_rings = np.diff(dataset.table.first_rings) > 0
    _note(dataset, "crowd-polygon", dataset.table.is_crowd & has_rings, log)


def _check_boxes(dataset: CocoDataset, measures: MaskMeasures, log: FindingLog) -> None:
    table = dataset.table
    sizes_hw = image_sizes(dataset)[table.image_rows()]
    extents = measures.extents
    # The second corner taken for width and height, and cut at the image as every box is.
    as_corners = extents.copy()
    as_corners[:, 2:] += extents[:, :2]
    as_corners = boxes.clip(as_corners, sizes_hw)
    near = box_tolerance(extents)
    equal = np.maximum(_EQUAL_PX, _EQUAL_SHARE * _longer_sides(extents))
    disagrees = _distance(table.boxes, extents) > near
    fits_corners = disagrees & (_distance(table.boxes, as_corners) <= equal)
    could_tell = _distance(as_corners, extents) > near
    if fits_corners.sum() > _MOST * could_tell.sum():
        _note(dataset, "box-corners", fits_corners, log)
        disagrees &= ~fits_corners
    for row in np.flatnonzero(disagrees).tolist():
        detail = f"{_corners(table.boxes[row])}, mask {_corners(extents[row])}"
        log.add("box-mismatch", f"{place_of(dataset, row)}.bbox", detail)


def _longer_sides(extents: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((extents[:, 2:] - extents[:, :2]).max(axis=1, initial=0))


def _distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how many pixels (n,) boxes (n, 4) differ at the side where they differ most."""
    return np.asarray(np.abs(first - second).max(axis=1, initial=0))


def _check_areas(dataset: CocoDataset, measures: MaskMeasures, log: FindingLog) -> None:
    table = dataset.table
    tolerance = area_tolerance(measures.areas, measures.extents)
    wrong = np.abs(table.areas - measures.areas) > tolerance
    wrong &= ~measures.leaves_image  # some count what is beyond the edge, some do not
    box_areas = boxes.areas(table.boxes)
    is_box = wrong & (np.abs(table.areas - box_areas) <= _EQUAL_SHARE * box_areas + 1)
    could_tell = np.abs(box_areas - measures.areas) > tolerance
    if is_box.sum() > _MOST * could_tell.sum():
        _note(dataset, "area-is-box", is_box, log)
        wrong &= ~is_box
    for row in np.flatnonzero(wrong).tolist():
        detail = f"{table.areas[row]:g}, the mask has {measures.areas[row]:g}"
        log.add("area-mismatch", f"{place_of(dataset, row)}.area", detail)


def _check_rectangles(dataset: CocoDataset, measures: MaskMeasures, log: FindingLog) -> None:
    is_target = ~dataset.table.is_crowd
    filled = measures.areas >= _RECTANGULAR * boxes.areas(measures.extents)
    rectangular = is_target & filled & ~measures.leaves_image
    if is_target.sum() >= _FEWEST and rectangular.sum() >= _NEARLY_ALL * is_target.sum():
        _note(dataset, "mask-rectangular", rectangular, log)


def _note(dataset: CocoDataset, code: str, broken: NDArray[np.bool_], log: FindingLog) -> None:
    for row in np.flatnonzero(broken).tolist():
        log.add(code, place_of(dataset, row), image_name(dataset, row))


def _corners(box: NDArray[np.float64]) -> str:
    x1, y1, x2, y2 = box
    return f"x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
