"""Boxes that have an area on their image.

Shapes: n annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes
from segtune.data.findings import FindingLog, quote
from segtune.data.mask_rules import EDGE_TOLERANCE_PX, describe_box
from segtune.data.structure_rules import NUMBERS, AnnotationEntry, as_float

_NO_BOX = [float("nan")] * 4


def clipped_boxes(
    entries: Sequence[AnnotationEntry], extents: NDArray[np.float64], log: FindingLog
) -> NDArray[np.float64]:
    """Return the boxes (n, 4) that annotations state, or else their extents, cut at the image.

    A row is nan where the box, or a needed extent, is faulty.
    """
    is_missing = np.array([entry.bbox is None for entry in entries], bool)
    found = np.where(is_missing[:, None], extents, _stated_boxes(entries, log))  # (n, 4)
    sizes_hw = np.array([(entry.image.height, entry.image.width) for entry in entries])
    clipped = boxes.clip(found, sizes_hw.reshape(-1, 2))

    known = boxes.are_finite(found)
    with np.errstate(over="ignore"):  # a box as large as floats go has an area all the same
        flat = known & (boxes.areas(found) <= 0)
    outside = known & ~flat & (boxes.areas(clipped) <= 0)
    beyond = known & (np.abs(found - clipped).max(axis=1, initial=0) > EDGE_TOLERANCE_PX)
    _note(entries, found, flat, "box-no-area", log)
    _note(entries, found, outside, "box-outside", log)
    # A mask that leaves the image is noted as polygon already.
    _note(entries, found, beyond & ~flat & ~outside & ~is_missing, "box-beyond-edge", log)
    clipped[~known | flat | outside] = np.nan
    return clipped


def _stated_boxes(entries: Sequence[AnnotationEntry], log: FindingLog) -> NDArray[np.float64]:
    """Return the boxes (n, 4) as xyxy; nan where an annotation has none to use."""
    is_usable = np.array([_is_usable(entry, log) for entry in entries], bool)
    stated = [
        entry.bbox if usable else _NO_BOX
        for entry, usable in zip(entries, is_usable.tolist(), strict=True)
    ]
    with np.errstate(over="ignore"):
        found = boxes.xywh_to_xyxy(_floats(stated))
    for row in np.flatnonzero(is_usable & ~boxes.are_finite(found)).tolist():
        shown = [as_float(value) for value in stated[row]]
        log.add("box-not-finite", f"{entries[row].pointer}.bbox", str(shown))
        found[row] = np.nan
    return found


def _floats(rows: list[list[float]]) -> NDArray[np.float64]:
    try:
        return np.array(rows, np.float64).reshape(-1, 4)
    except OverflowError:  # an integer beyond every float
        return np.array([[as_float(value) for value in row] for row in rows])


def _is_usable(entry: AnnotationEntry, log: FindingLog) -> bool:
    """Return whether an annotation has a bbox of four numbers, after noting why not."""
    if entry.bbox is None:
        log.add("box-missing", f"{entry.pointer}.bbox")
        return False
    fault = _type_fault(entry.bbox)
    if fault is not None:
        log.add("box-type", f"{entry.pointer}.bbox", f"found {fault}")
    return fault is None


def _type_fault(bbox: Any) -> str | None:
    """Return what is there instead of four numbers."""
    if not isinstance(bbox, list):
        return quote(bbox)
    if len(bbox) != 4:
        return f"{len(bbox)} entries"
    if NUMBERS.issuperset(map(type, bbox)):
        return None
    return next(quote(value) for value in bbox if type(value) not in NUMBERS)


def _note(
    entries: Sequence[AnnotationEntry],
    found: NDArray[np.float64],
    broken: NDArray[np.bool_],
    code: str,
    log: FindingLog,
) -> None:
    for row in np.flatnonzero(broken).tolist():
        entry = entries[row]
        log.add(code, f"{entry.pointer}.bbox", describe_box(found[row], entry.image))
