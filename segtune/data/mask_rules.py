"""Segmentations that have pixels on their image: rings with three points, run lengths that fit.

Shapes: n annotations, k rings, P points of all rings, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.data.annotation_chunk import AnnotationChunk
from segtune.data.field_rules import NUMBERS, as_float
from segtune.data.findings import ChunkLog, Note, quote
from segtune.data.instance_table import starts_of

EDGE_TOLERANCE_PX = 1.0  # rounding and half-pixel conventions stay below it
_MIN_COORDINATES = 6

Sizes = NDArray[np.int64]


@dataclass(eq=False, slots=True)
class ChunkMasks:
    """The masks of a chunk of annotations."""

    extents: NDArray[np.float64]
    """(n, 4), the boxes around the masks; a row of a faulty segmentation is nan."""
    points: NDArray[np.float64]
    """(P, 2), of all rings that have points, in the order of annotations."""
    ring_starts: NDArray[np.int64]
    """(k + 1,): the points of ring r are those from `ring_starts[r]` to the next one."""
    ring_rows: NDArray[np.int64]
    """(k,), ascending: the annotation of each ring."""
    rles: dict[int, dict[str, Any]]
    """Sound ones, by row of their annotation."""


def check_masks(chunk: AnnotationChunk, sizes_hw: Sizes, log: ChunkLog) -> ChunkMasks:
    """Return the masks of annotations on images of sizes (n, 2), noting what is wrong with them."""
    extents = np.full((len(chunk), 4), np.nan)
    for row in np.flatnonzero(~chunk.is_plain).tolist():
        _note_type_fault(chunk, row, log)
    rings = _Rings(chunk, log)
    rings.measure(chunk, sizes_hw, extents, log)
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
    return ChunkMasks(extents, rings.points, rings.starts, rings.rows, rles)


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
        polygons = [value if type(value) is list else () for value in chunk.segmentations]
        counts = np.fromiter(map(len, polygons), np.int64, len(polygons))
        rings = list(chain.from_iterable(polygons))
        self.rows = np.repeat(np.arange(len(chunk)), counts)  # annotation of each ring
        self.numbers = np.arange(len(rings)) - np.repeat(starts_of(counts)[:-1], counts)
        self.is_faulty = np.zeros(len(chunk), bool)  # by row
        for row in np.flatnonzero(counts == 0).tolist():
            if type(chunk.segmentations[row]) is list:
                pointer = chunk.pointer(row, ".segmentation")
                log.add(chunk.places[row], "segmentation-empty", pointer, "no polygon")
        lengths = self._lengths(rings, chunk, log)
        if (lengths < 0).any():
            sound = lengths >= 0
            self.is_faulty[self.rows[~sound]] = True
            rings = [ring for ring, is_sound in zip(rings, sound, strict=True) if is_sound]
            self.rows, self.numbers, lengths = self.rows[sound], self.numbers[sound], lengths[sound]
        self.points = _floats(rings, int(lengths.sum())).reshape(-1, 2)  # (P, 2)
        self.starts = starts_of(lengths // 2)  # (k + 1,)

    def _lengths(
        self, rings: Sequence[Any], chunk: AnnotationChunk, log: ChunkLog
    ) -> NDArray[np.int64]:
        """Return how many numbers rings have, -1 for one that is faulty."""
        is_sound = chunk.is_plain[self.rows]
        for ring in np.flatnonzero(~is_sound).tolist():
            fault = _type_fault(rings[ring])
            if fault is None:
                is_sound[ring] = True
            else:
                self._note(chunk, ring, "polygon-type", f"found {fault}", log)
        if is_sound.all():
            lengths = np.fromiter(map(len, rings), np.int64, len(rings))
        else:
            pairs = zip(rings, is_sound.tolist(), strict=True)
            lengths = np.array([len(ring) if sound else -1 for ring, sound in pairs], np.int64)
        is_odd = is_sound & (lengths % 2 == 1)
        is_short = is_sound & ~is_odd & (lengths < _MIN_COORDINATES)
        for ring in np.flatnonzero(is_odd).tolist():
            self._note(chunk, ring, "polygon-odd", f"{lengths[ring]} numbers", log)
        for ring in np.flatnonzero(is_short).tolist():
            self._note(chunk, ring, "polygon-too-short", f"{lengths[ring] // 2} points", log)
        lengths[is_odd | is_short] = -1
        return lengths

    def measure(
        self,
        chunk: AnnotationChunk,
        sizes_hw: Sizes,
        extents: NDArray[np.float64],
        log: ChunkLog,
    ) -> None:
        """Write the extent of every annotation without a faulty ring into its row."""
        rows = self.rows
        if len(rows) == 0:
            return
        ring_boxes = np.concatenate(  # (k, 4), not finite where a coordinate is not
            [
                np.minimum.reduceat(self.points, self.starts[:-1]),
                np.maximum.reduceat(self.points, self.starts[:-1]),
            ],
            axis=1,
        )
        limits = sizes_hw[rows, ::-1]
        finite = boxes.are_finite(ring_boxes)
        ring_boxes_found = ring_boxes.copy()
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
        for code, broken in (
            ("polygon-not-finite", ~finite),
            ("polygon-outside", is_outside & is_first),
            ("polygon-far-beyond", far & ~is_outside),
            ("polygon-beyond-edge", over_edge & ~is_outside),
        ):
            for ring in np.flatnonzero(broken).tolist():
                detail = describe_box(ring_boxes_found[ring], sizes_hw[rows[ring]])
                self._note(chunk, ring, code, detail, log)
        self.is_faulty[rows[~finite | far | is_outside]] = True

        lows = np.minimum.reduceat(ring_boxes[:, :2], first)
        highs = np.maximum.reduceat(ring_boxes[:, 2:], first)
        extents[rows[first]] = np.concatenate([lows, highs], axis=1)
        extents[self.is_faulty] = np.nan

    def _note(
        self, chunk: AnnotationChunk, ring: int, code: str, detail: str, log: ChunkLog
    ) -> None:
        row = self.rows[ring]
        pointer = chunk.pointer(row, f".segmentation[{self.numbers[ring]}]")
        log.add(chunk.places[row], code, pointer, detail)


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


def _floats(rings: Sequence[Sequence[float]], count: int) -> NDArray[np.float64]:
    try:
        return np.fromiter(chain.from_iterable(rings), np.float64, count)
    except OverflowError:  # an integer beyond every float: take the slow way that allows it
        return np.fromiter(map(as_float, chain.from_iterable(rings)), np.float64, count)


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
