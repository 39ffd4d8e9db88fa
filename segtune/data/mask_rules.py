"""Segmentations that have pixels on their image: rings with three points, run lengths that fit.

Shapes: n annotations, k rings, R runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.data.annotation_chunk import AnnotationChunk
from segtune.data.field_rules import NUMBERS
from segtune.data.findings import ChunkLog, Note, quote
from segtune.data.instance_table import starts_of
from segtune.data.ring_arrays import RingArrays, concatenate, flatten

EDGE_TOLERANCE_PX = 1.0  # rounding and half-pixel conventions stay below it
_MIN_COORDINATES = 6

Sizes = NDArray[np.int64]


@dataclass(eq=False, slots=True)
class ChunkMasks:
    """The masks of a chunk of annotations."""

    extents: NDArray[np.float64]
    """(n, 4), the boxes around the masks; a row of a faulty segmentation is nan."""
    rings: RingArrays
    """All that have points, in the order of annotations; those of faulty annotations too."""
    rles: dict[int, dict[str, Any]]
    """Sound ones, by row of their annotation."""


def check_masks(chunk: AnnotationChunk, sizes_hw: Sizes, log: ChunkLog) -> ChunkMasks:
    """Return the masks of annotations on images of sizes (n, 2), noting what is wrong with them."""
    extents = np.full((len(chunk), 4), np.nan)
    for row in np.flatnonzero(~chunk.is_plain).tolist():
        _note_type_fault(chunk, row, log)
    rings = _Rings(chunk, log)
    rings.measure(sizes_hw, extents)
    rles = {}
    for row, segmentation in enumerate(chunk.segmentations):
        if type(segmentation) is dict:
            height, width = sizes_hw[row].tolist()
            pointer = chunk.pointer(row, ".segmentation")
            note = log.at(chunk.places[row])
            runs = _read_runs(segmentation, height, width, pointer, note)
            if runs is not None:
                extents[row] = boxes.runs_to_box(runs, height)
                rles[row] = segmentation
    return ChunkMasks(extents, rings.arrays, rles)


def _note_type_fault(chunk: AnnotationChunk, row: int, log: ChunkLog) -> None:
    segmentation = chunk.segmentations[row]
    if segmentation is None:
        log.add(chunk.places[row], "segmentation-missing", chunk.pointer(row, ".segmentation"))
    elif not isinstance(segmentation, list | dict):
        found = f"found {quote(segmentation)}"
        log.add(chunk.places[row], "segmentation-type", chunk.pointer(row, ".segmentation"), found)


class _Rings:
    """The rings of a chunk, measured together since NumPy is slow on one at a time.

    Those that are faulty by themselves are noted and left out.
    """

    def __init__(self, chunk: AnnotationChunk, log: ChunkLog) -> None:
        self._chunk = chunk
        self._log = log
        self._is_faulty = np.zeros(len(chunk), bool)  # by row
        self._note_empty()
        self.arrays = self._with_others(chunk.rings)
        lengths = self.arrays.lengths
        is_odd = lengths % 2 == 1
        is_short = ~is_odd & (lengths < _MIN_COORDINATES)
        for ring in np.flatnonzero(is_odd).tolist():
            self._note(ring, "polygon-odd", f"{lengths[ring]} numbers")
        for ring in np.flatnonzero(is_short).tolist():
            self._note(ring, "polygon-too-short", f"{lengths[ring] // 2} points")
        self._is_faulty[self.arrays.rows[is_odd | is_short]] = True
        self.arrays = self.arrays.keep(~is_odd & ~is_short)

    def _note_empty(self) -> None:
        chunk = self._chunk
        num_rings = np.bincount(chunk.rings.rows, minlength=len(chunk))
        for row in np.flatnonzero(num_rings == 0).tolist():
            segmentation = chunk.segmentations[row]
            if segmentation == [] or (chunk.is_plain[row] and segmentation is None):
                pointer = chunk.pointer(row, ".segmentation")
                self._log.add(chunk.places[row], "segmentation-empty", pointer, "no polygon")

    def _with_others(self, plain: RingArrays) -> RingArrays:
        """Return the rings of plain annotations with those of others that are lists of numbers."""
        rings, rows, numbers = [], [], []
        for row in np.flatnonzero(~self._chunk.is_plain).tolist():
            segmentation = self._chunk.segmentations[row]
            for number, ring in enumerate(segmentation if type(segmentation) is list else ()):
                fault = _type_fault(ring)
                if fault is None:
                    rings.append([ring])
                    rows.append(row)
                    numbers.append(number)
                    continue
                pointer = self._chunk.pointer(row, f".segmentation[{number}]")
                place = self._chunk.places[row]
                self._log.add(place, "polygon-type", pointer, f"found {fault}")
                self._is_faulty[row] = True
        if not rings:
            return plain
        others = flatten(rings, np.array(rows))
        both = concatenate([plain, replace(others, numbers=np.array(numbers))])
        return both.take(np.argsort(both.rows, kind="stable"))

    def measure(self, sizes_hw: Sizes, extents: NDArray[np.float64]) -> None:
        """Write the extent of every annotation without a faulty ring into its row."""
        rows = self.arrays.rows
        if len(rows) == 0:
            return
        found = self._boxes()  # (k, 4)
        limits = sizes_hw[rows, ::-1]
        finite = boxes.are_finite(found)
        ring_boxes = np.where(finite[:, None], found, 0)
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
        endless = self._note_endless(finite & ~far)
        for code, broken in (
            ("polygon-not-finite", ~finite),
            ("polygon-outside", is_outside & is_first),
            ("polygon-far-beyond", far & ~is_outside),
            ("polygon-beyond-edge", over_edge & ~is_outside),
        ):
            for ring in np.flatnonzero(broken).tolist():
                self._note(ring, code, describe_box(found[ring], sizes_hw[rows[ring]]))
        self._is_faulty[rows[~finite | far | is_outside | endless]] = True

        lows = np.minimum.reduceat(ring_boxes[:, :2], first)
        highs = np.maximum.reduceat(ring_boxes[:, 2:], first)
        extents[rows[first]] = np.concatenate([lows, highs], axis=1)
        extents[self._is_faulty] = np.nan

    def _boxes(self) -> NDArray[np.float64]:
        """Return the boxes (k, 4) around rings, not finite where a coordinate is not."""
        points, starts = self._points()
        lows = np.minimum.reduceat(points, starts[:-1])
        highs = np.maximum.reduceat(points, starts[:-1])
        return np.concatenate([lows, highs], axis=1)

    def _note_endless(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Note and return which `known` rings (k,) run to and fro too often to be drawn."""
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = masks.outline_lengths(*self._points())
        endless = known & (lengths > masks.LONGEST_OUTLINE_PX)
        for ring in np.flatnonzero(endless).tolist():
            self._note(ring, "polygon-endless", f"{lengths[ring]:.0f} pixels")
        return np.asarray(endless)

    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the points (P, 2) of all rings, and where each starts, (k + 1,)."""
        return self.arrays.coordinates.reshape(-1, 2), starts_of(self.arrays.lengths // 2)

    def _note(self, ring: int, code: str, detail: str) -> None:
        row = self.arrays.rows[ring]
        pointer = self._chunk.pointer(row, f".segmentation[{self.arrays.numbers[ring]}]")
        self._log.add(self._chunk.places[row], code, pointer, detail)


def describe_box(box: NDArray[np.float64], size_hw: Sizes) -> str:
    """Return where a box (4,) lies on an image of a size (2,), as text."""
    x1, y1, x2, y2 = box
    height, width = size_hw
    return f"x {x1:g} to {x2:g}, y {y1:g} to {y2:g} on {width} x {height}"


def _type_fault(ring: Any) -> str | None:
    """Return what is there instead of a list of numbers."""
    if not isinstance(ring, list):
        return quote(ring)
    if NUMBERS.issuperset(map(type, ring)):
        return None
    return next(quote(value) for value in ring if type(value) not in NUMBERS)


def _read_runs(
    segmentation: dict[str, Any], height: int, width: int, pointer: str, note: Note
) -> NDArray[np.int64] | None:
    """Return the run lengths (R,) of an RLE with foreground; None after noting why not."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and {int}.issuperset(map(type, size))):
        note("rle-type", f"{pointer}.size", f"found {quote(size)}")
        return None
    if size != [height, width]:
        stated = f"{quote(size[0])} x {quote(size[1])}"
        note("rle-size", f"{pointer}.size", f"{stated}, image {height} x {width} (h x w)")
        return None
    try:
        runs = _run_lengths(counts, height * width)
    except ValueError as error:
        note("rle-type", f"{pointer}.counts", str(error))
        return None
    if runs is None:
        note("rle-length", f"{pointer}.counts", f"not {height * width} pixels")
        return None
    if not runs[1::2].any():
        note("segmentation-empty", pointer, "an RLE without foreground")
        return None
    return runs


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
