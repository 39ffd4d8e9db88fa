"""Segmentations that have pixels on their image: rings with three points, run lengths that fit.

Shapes: n annotations, k rings, P points of all rings, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.data.findings import FindingLog, quote
from segtune.data.structure_rules import NUMBERS, AnnotationEntry, ImageEntry, as_float

EDGE_TOLERANCE_PX = 1.0  # rounding and half-pixel conventions stay below it
_MIN_COORDINATES = 6


def mask_extents(entries: Sequence[AnnotationEntry], log: FindingLog) -> NDArray[np.float64]:
    """Return the boxes (n, 4) around the masks; a row of a faulty segmentation is nan."""
    extents = np.full((len(entries), 4), np.nan)
    rings = _Rings(log)
    for row, entry in enumerate(entries):
        if isinstance(entry.segmentation, list):
            rings.add(row, entry)
        elif isinstance(entry.segmentation, dict):
            extents[row] = _rle_extent(entry, log)
        elif entry.segmentation is None:
            log.add("segmentation-missing", f"{entry.pointer}.segmentation")
        else:
            found = quote(entry.segmentation)
            log.add("segmentation-type", f"{entry.pointer}.segmentation", f"found {found}")
    rings.measure(entries, extents)
    return extents


class _Rings:
    """The rings of many annotations, measured together since NumPy is slow on one at a time."""

    def __init__(self, log: FindingLog) -> None:
        self.log = log
        self.rings: list[list[float]] = []
        self.rows: list[int] = []  # annotation of each ring
        self.numbers: list[int] = []  # of each ring in its annotation
        self.faulty: set[int] = set()

    def add(self, row: int, entry: AnnotationEntry) -> None:
        """Take the rings of one annotation, or note what is wrong with them."""
        if not entry.segmentation:
            self.log.add("segmentation-empty", f"{entry.pointer}.segmentation", "no polygon")
        for number, ring in enumerate(entry.segmentation):
            fault = _ring_fault(ring)
            if fault is None:
                self.rings.append(ring)
                self.rows.append(row)
                self.numbers.append(number)
            else:
                code, detail = fault
                self.log.add(code, f"{entry.pointer}.segmentation[{number}]", detail)
                self.faulty.add(row)

    def measure(self, entries: Sequence[AnnotationEntry], extents: NDArray[np.float64]) -> None:
        """Write the extent of every annotation without a faulty ring into its row."""
        if not self.rings:
            return
        rows = np.array(self.rows)  # (k,)
        ring_boxes = _ring_boxes(self.rings)  # (k, 4)
        limits = np.array([(entry.image.width, entry.image.height) for entry in entries])[rows]
        finite = boxes.are_finite(ring_boxes)
        self._note(entries, ring_boxes, ~finite, "polygon-not-finite")
        ring_boxes[~finite] = 0
        beyond = np.maximum(-ring_boxes[:, :2], ring_boxes[:, 2:] - limits).max(axis=1)
        far = beyond > limits.max(axis=1)
        ends_before = (ring_boxes[:, 2:] <= 0).any(axis=1)
        starts_behind = (ring_boxes[:, :2] >= limits).any(axis=1)
        misses_image = finite & (ends_before | starts_behind)

        first = np.flatnonzero(np.diff(rows, prepend=-1))  # first ring of each annotation
        all_miss = np.logical_and.reduceat(misses_image, first)
        is_outside = np.repeat(all_miss, np.diff(first, append=len(rows)))  # (k,)
        is_first = np.zeros(len(rows), bool)
        is_first[first] = True
        over_edge = (beyond > EDGE_TOLERANCE_PX) & ~far
        self._note(entries, ring_boxes, is_outside & is_first, "polygon-outside")
        self._note(entries, ring_boxes, far & ~is_outside, "polygon-far-beyond")
        self._note(entries, ring_boxes, over_edge & ~is_outside, "polygon-beyond-edge")
        self.faulty.update(rows[~finite | far | is_outside].tolist())

        lows = np.minimum.reduceat(ring_boxes[:, :2], first)
        highs = np.maximum.reduceat(ring_boxes[:, 2:], first)
        extents[rows[first]] = np.concatenate([lows, highs], axis=1)
        extents[list(self.faulty)] = np.nan

    def _note(
        self,
        entries: Sequence[AnnotationEntry],
        ring_boxes: NDArray[np.float64],
        broken: NDArray[np.bool_],
        code: str,
    ) -> None:
        for ring in np.flatnonzero(broken).tolist():
            entry = entries[self.rows[ring]]
            pointer = f"{entry.pointer}.segmentation[{self.numbers[ring]}]"
            self.log.add(code, pointer, describe_box(ring_boxes[ring], entry.image))


def describe_box(box: NDArray[np.float64], image: ImageEntry) -> str:
    """Return where a box (4,) lies on its image, as text."""
    x1, y1, x2, y2 = box
    return f"x {x1:g} to {x2:g}, y {y1:g} to {y2:g} on {image.width} x {image.height}"


def _ring_fault(ring: Any) -> tuple[str, str] | None:
    """Return code and detail of what is wrong with one ring by itself."""
    if not isinstance(ring, list):
        return "polygon-type", f"found {quote(ring)}"
    if not NUMBERS.issuperset(map(type, ring)):
        wrong = next(value for value in ring if type(value) not in NUMBERS)
        return "polygon-type", f"found {quote(wrong)}"
    if len(ring) % 2:
        return "polygon-odd", f"{len(ring)} numbers"
    if len(ring) < _MIN_COORDINATES:
        return "polygon-too-short", f"{len(ring) // 2} points"
    return None


def _ring_boxes(rings: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return the boxes (k, 4) around rings of x, y pairs; not finite where a coordinate is not."""
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    coordinates = _floats(rings, int(lengths.sum()))  # (2 P,)
    points = coordinates.reshape(-1, 2)  # (P, 2)
    first = (lengths.cumsum() - lengths) // 2  # (k,)
    lows = np.minimum.reduceat(points, first)
    highs = np.maximum.reduceat(points, first)
    return np.concatenate([lows, highs], axis=1)  # (k, 4)


def _floats(rings: Sequence[Sequence[float]], count: int) -> NDArray[np.float64]:
    try:
        return np.fromiter(chain.from_iterable(rings), np.float64, count)
    except OverflowError:  # an integer beyond every float: take the slow way that allows it
        return np.fromiter(map(as_float, chain.from_iterable(rings)), np.float64, count)


def _rle_extent(entry: AnnotationEntry, log: FindingLog) -> tuple[float, float, float, float]:
    """Return the box around an RLE; nan after noting what is wrong with it."""
    faulty = (np.nan, np.nan, np.nan, np.nan)
    pointer = f"{entry.pointer}.segmentation"
    size, counts = entry.segmentation.get("size"), entry.segmentation.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and {int}.issuperset(map(type, size))):
        log.add("rle-type", f"{pointer}.size", f"found {quote(size)}")
        return faulty
    height, width = entry.image.height, entry.image.width
    if size != [height, width]:
        stated = f"{quote(size[0])} x {quote(size[1])}"
        log.add("rle-size", f"{pointer}.size", f"{stated}, image {height} x {width} (h x w)")
        return faulty
    try:
        runs = _run_lengths(counts, height * width)
    except ValueError as error:
        log.add("rle-type", f"{pointer}.counts", str(error))
        return faulty
    if runs is None:
        log.add("rle-length", f"{pointer}.counts", f"not {height * width} pixels")
        return faulty
    if not runs[1::2].any():
        log.add("segmentation-empty", pointer, "an RLE without foreground")
        return faulty
    return boxes.runs_to_box(runs, height)


def _run_lengths(counts: Any, num_pixels: int) -> NDArray[np.int64] | None:
    """Return run lengths (R,); None when they do not make up the image.

    Raises:
        ValueError: The counts are no counts.
    """
    if isinstance(counts, str):
        runs = masks.run_lengths(counts)
        fits = runs.min(initial=0) >= 0 and runs.max(initial=0) <= num_pixels
        return runs if fits and runs.sum() == num_pixels else None
    if not isinstance(counts, list):
        raise ValueError(f"found {quote(counts)}")
    if not {int}.issuperset(map(type, counts)):
        wrong = next(value for value in counts if type(value) is not int)
        raise ValueError(f"found {quote(wrong)}")
    if min(counts, default=0) < 0 or sum(counts) != num_pixels:
        return None
    return np.array(counts, np.int64)
