"""Boxes that have an area on their image.

Shapes: n annotations.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes
from segtune.data.annotation_chunk import AnnotationChunk
from segtune.data.field_rules import NUMBERS, as_float
from segtune.data.findings import ChunkLog, quote
from segtune.data.mask_rules import EDGE_TOLERANCE_PX, describe_box

_NO_BOX = (float("nan"),) * 4


def clipped_boxes(
    chunk: AnnotationChunk,
    extents: NDArray[np.float64],
    sizes_hw: NDArray[np.int64],
    log: ChunkLog,
) -> NDArray[np.float64]:
    """Return the boxes (n, 4) that annotations state, or else their extents, cut at the image.

    A row is nan where the box, or a needed extent, is faulty.

    Args:
        chunk: The annotations.
        extents: The boxes (n, 4) around their masks.
        sizes_hw: The sizes (n, 2) of their images.
        log: Takes what is wrong.
    """
    is_missing = np.fromiter([bbox is None for bbox in chunk.bboxes], bool, len(chunk))
    found = np.where(is_missing[:, None], extents, _stated_boxes(chunk, is_missing, log))  # (n, 4)
    clipped = boxes.clip(found, sizes_hw)

    known = boxes.are_finite(found)
    with np.errstate(over="ignore"):  # a box as large as floats go has an area all the same
        flat = known & (boxes.areas(found) <= 0)
    outside = known & ~flat & (boxes.areas(clipped) <= 0)
    beyond = known & (np.abs(found - clipped).max(axis=1, initial=0) > EDGE_TOLERANCE_PX)
    for code, broken in (
        ("box-no-area", flat),
        ("box-outside", outside),
        # A mask that leaves the image is noted as polygon already.
        ("box-beyond-edge", beyond & ~flat & ~outside & ~is_missing),
    ):
        for row in np.flatnonzero(broken).tolist():
            detail = describe_box(found[row], sizes_hw[row])
            log.add(chunk.places[row], code, chunk.pointer(row, ".bbox"), detail)
    clipped[~known | flat | outside] = np.nan
    return clipped


def _stated_boxes(
    chunk: AnnotationChunk, is_missing: NDArray[np.bool_], log: ChunkLog
) -> NDArray[np.float64]:
    """Return the boxes (n, 4) as xyxy; nan where an annotation has none to use."""
    for row in np.flatnonzero(is_missing).tolist():
        log.add(chunk.places[row], "box-missing", chunk.pointer(row, ".bbox"))
    is_usable = ~is_missing
    for row in np.flatnonzero(~is_missing & ~chunk.is_plain).tolist():
        fault = _type_fault(chunk.bboxes[row])
        if fault is not None:
            pointer = chunk.pointer(row, ".bbox")
            log.add(chunk.places[row], "box-type", pointer, f"found {fault}")
            is_usable[row] = False
    stated = [
        bbox if usable else _NO_BOX
        for bbox, usable in zip(chunk.bboxes, is_usable.tolist(), strict=True)
    ]
    with np.errstate(over="ignore"):
        found = boxes.xywh_to_xyxy(_floats(stated))
    for row in np.flatnonzero(is_usable & ~boxes.are_finite(found)).tolist():
        shown = [as_float(value) for value in stated[row]]
        log.add(chunk.places[row], "box-not-finite", chunk.pointer(row, ".bbox"), str(shown))
        found[row] = np.nan
    return found


def _floats(rows: list[Any]) -> NDArray[np.float64]:
    try:
        return np.fromiter(chain.from_iterable(rows), np.float64, 4 * len(rows)).reshape(-1, 4)
    except OverflowError:  # an integer beyond every float
        return np.array([[as_float(value) for value in row] for row in rows])


def _type_fault(bbox: Any) -> str | None:
    """Return what is there instead of four numbers."""
    if not isinstance(bbox, list):
        return quote(bbox)
    if len(bbox) != 4:
        return f"{len(bbox)} entries"
    if NUMBERS.issuperset(map(type, bbox)):
        return None
    return next(quote(value) for value in bbox if type(value) not in NUMBERS)
