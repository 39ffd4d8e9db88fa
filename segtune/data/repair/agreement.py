"""Boxes and areas that are those of their masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from segtune import boxes
from segtune.data.mask_rules import EDGE_TOLERANCE_PX
from segtune.data.repair.document import Entry, SplitDocument
from segtune.data.repair.masks_of_entries import (
    Box,
    UsableMask,
    finite_number,
    finite_numbers,
)
from segtune.data.tolerances import area_tolerance, box_tolerance

_SAME_PLACE_IOU = 0.5


def repair_agreement(split: SplitDocument, entry: Entry, mask: UsableMask) -> None:
    """Compute bbox and area of an annotation from its mask where they are missing or inexact.

    Both are left where box and mask lie in different places: either may be right. LVIS has
    photographs that were turned after annotation together with their boxes, but not their masks.
    """
    if not _contradicts(entry.values.get("bbox"), mask):
        _repair_box(split, entry, mask)
        _repair_area(split, entry, mask)
    elif not _is_area(entry.values.get("area")):
        _set_area(split, entry, mask)


def _contradicts(bbox: Any, mask: UsableMask) -> bool:
    """Return whether a box with an area on the image shares less than half with the mask's."""
    box = _cut_box(bbox, mask.size_hw)
    if box is None or _is_near(box, mask.box, mask) or _is_corners(bbox, mask):
        return False
    return bool(boxes.iou(np.array([box]), np.array([mask.box]))[0, 0] < _SAME_PLACE_IOU)


def _repair_box(split: SplitDocument, entry: Entry, mask: UsableMask) -> None:
    """Compute a box from its mask, but leave one that is larger: perhaps the mask lacks a part."""
    bbox = entry.values.get("bbox")
    stated, cut = _corners(bbox), _cut_box(bbox, mask.size_hw)
    has_other_meaning = cut and _is_corners(bbox, mask) and not _is_near(cut, mask.box, mask)
    if stated is None or cut is None or not _encloses(cut, mask) or has_other_meaning:
        split.set(entry, "bbox", _xywh(mask.box), "box")
    elif np.abs(np.subtract(stated, cut)).max() > EDGE_TOLERANCE_PX:
        split.set(entry, "bbox", _xywh(cut), "box-edge")


def _repair_area(split: SplitDocument, entry: Entry, mask: UsableMask) -> None:
    stated = finite_number(entry.values.get("area"))
    if stated is None or stated <= 0:
        _set_area(split, entry, mask)
        return
    measured = (mask.enclosed_px, mask.area())
    is_near = any(_is_near_area(stated, area, mask) for area in measured)
    if not is_near and not mask.leaves_image:  # some count what is beyond the edge, some do not
        _set_area(split, entry, mask)


def _set_area(split: SplitDocument, entry: Entry, mask: UsableMask) -> None:
    area = mask.area()
    split.set(entry, "area", int(area) if area.is_integer() else area, "area")


def _is_area(value: Any) -> bool:
    number = finite_number(value)
    return number is not None and number > 0


def _cut_box(bbox: Any, size_hw: tuple[int, int]) -> Box | None:
    """Return a bbox as xyxy, cut at the image; None unless it is finite and has an area there."""
    corners = _corners(bbox)
    if corners is None:
        return None
    x1, y1, x2, y2 = boxes.clip(np.array([corners]), np.array([size_hw]))[0].tolist()
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _corners(bbox: Any) -> Box | None:
    """Return a bbox as xyxy; None unless it is four finite numbers with an area."""
    stated = finite_numbers(bbox, 4)
    if stated is None:
        return None
    x, y, width, height = stated
    right, bottom = x + width, y + height
    is_box = np.isfinite([right, bottom]).all() and right > x and bottom > y
    return (x, y, right, bottom) if is_box else None


def _is_corners(bbox: Any, mask: UsableMask) -> bool:
    """Return whether a bbox is that of its mask when read as two corners."""
    stated = finite_numbers(bbox, 4)
    return stated is not None and _is_near(stated, mask.box, mask)


def _encloses(box: Box, mask: UsableMask) -> bool:
    x1, y1, x2, y2 = mask.box
    inside = max(box[0] - x1, box[1] - y1, x2 - box[2], y2 - box[3])
    return inside <= _tolerance(mask)


def _is_near(box: Box | list[float], other: Box, mask: UsableMask) -> bool:
    return bool(np.abs(np.subtract(box, other)).max() <= _tolerance(mask))


def _tolerance(mask: UsableMask) -> float:
    return float(box_tolerance(np.array([mask.box]))[0])


def _is_near_area(stated: float, measured: float, mask: UsableMask) -> bool:
    tolerance = area_tolerance(np.array([measured]), np.array([mask.box]))
    return bool(abs(stated - measured) <= tolerance[0])


def _xywh(box: Box) -> list[float]:
    x1, y1, x2, y2 = box
    return [round(value, 6) for value in (x1, y1, x2 - x1, y2 - y1)]
