"""A stretch of the annotations of a file as columns, so that NumPy can check them together.

Annotations that look as COCO has them are decoded by msgspec straight into typed values; any
other one is looked at field by field, so that all that is wrong with it can be said.

Shapes: n annotations of one chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from segtune.data.annotation_file import UNREADABLE, read_value
from segtune.data.field_rules import read_area, read_integer, read_is_crowd
from segtune.data.findings import ChunkLog, quote
from segtune.data.ring_arrays import RingArrays, concatenate, flatten

CHUNK = 8192  # annotations whose arrays NumPy works on together
# Annotations whose coordinates are Python numbers at the same time: few enough for the processor's
# cache, which halves the time of making arrays of them.
_BATCH = 256

_Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Area = Annotated[float, msgspec.Meta(gt=0, le=1.7976931348623157e308)]


class _PlainAnnotation(msgspec.Struct, gc=False):
    """An annotation as COCO has them: nothing to note before ids and geometry are looked at."""

    id: _Id
    image_id: _Id
    category_id: _Id
    segmentation: list[list[float]] | dict[str, Any]
    bbox: tuple[float, float, float, float] | None = None
    area: _Area | None = None
    iscrowd: Literal[0, 1] | None = None


@dataclass(eq=False, slots=True)
class AnnotationChunk:
    """Annotations in file order. A value that `has_...` says to be absent is noted as faulty."""

    places: NDArray[np.int64]
    """(n,), the indices in the list of the file."""
    ids: NDArray[np.int64]
    has_id: NDArray[np.bool_]
    image_ids: NDArray[np.int64]
    has_image_id: NDArray[np.bool_]
    category_ids: NDArray[np.int64]
    has_category_id: NDArray[np.bool_]
    areas: NDArray[np.float64]
    """(n,), nan where the area of the mask has to do."""
    is_crowd: NDArray[np.bool_]
    segmentations: list[Any]
    """As in the file, but None for the polygons of a plain annotation, which are in `rings`."""
    bboxes: list[Any]
    """As in the file, not looked at yet where the annotation is not plain."""
    is_plain: NDArray[np.bool_]
    """(n,): the segmentation is a list of lists of floats or an object; the box is four floats."""
    rings: RingArrays
    """Of plain annotations."""

    def __len__(self) -> int:
        return len(self.places)

    def pointer(self, row: int, field: str = "") -> str:
        """Return where in the file an annotation, or a field of it with its dot, stands."""
        return f"annotations[{self.places[row]}]{field}"

    def take(self, rows: NDArray[np.int64]) -> AnnotationChunk:
        """Return some of the annotations."""
        if len(rows) == len(self):
            return self
        return AnnotationChunk(
            self.places[rows],
            self.ids[rows],
            self.has_id[rows],
            self.image_ids[rows],
            self.has_image_id[rows],
            self.category_ids[rows],
            self.has_category_id[rows],
            self.areas[rows],
            self.is_crowd[rows],
            [self.segmentations[row] for row in rows.tolist()],
            [self.bboxes[row] for row in rows.tolist()],
            self.is_plain[rows],
            self._rings_of(rows),
        )

    def _rings_of(self, rows: NDArray[np.int64]) -> RingArrays:
        new_rows = np.full(len(self), -1)
        new_rows[rows] = np.arange(len(rows))
        kept = self.rings.keep(new_rows[self.rings.rows] >= 0)
        return replace(kept, rows=new_rows[kept.rows])


def read_chunks(entries: Sequence[Any], log: ChunkLog) -> Iterator[AnnotationChunk]:
    """Yield annotations a chunk at a time, after noting what is wrong with single fields."""
    for start in range(0, len(entries), CHUNK):
        chunk = _blank_chunk(start, min(CHUNK, len(entries) - start))
        rings = [
            _fill_batch(
                chunk, first, entries[start + first : start + min(first + _BATCH, CHUNK)], log
            )
            for first in range(0, len(chunk), _BATCH)
        ]
        chunk.rings = concatenate(rings)
        yield chunk


def _fill_batch(
    chunk: AnnotationChunk, first: int, entries: Sequence[Any], log: ChunkLog
) -> RingArrays:
    """Write annotations into a chunk from row `first` on; return the rings of the plain ones."""
    values = _decode_all(entries)
    is_plain = [type(value) is _PlainAnnotation for value in values]
    rows = first + np.flatnonzero(is_plain)
    plain = values if len(rows) == len(values) else list(compress(values, is_plain))
    _fill_plain(chunk, rows, plain, log)
    for row, value in enumerate(values, first):
        if type(value) is not _PlainAnnotation:
            _fill_other(chunk, row, value, log)
    return flatten(
        [() if type(one.segmentation) is dict else one.segmentation for one in plain], rows
    )


_decode_plain = msgspec.json.Decoder(_PlainAnnotation).decode


def _decode_all(entries: Sequence[Any]) -> list[Any]:
    """Return plain annotations, and entries that are not plain as they are."""
    try:  # nearly always all are text, and plain
        return list(map(_decode_plain, entries))
    except (msgspec.MsgspecError, TypeError, RecursionError):
        return list(map(_decode, entries))


def _decode(entry: Any) -> Any:
    """Return a plain annotation, or else the entry as it is."""
    try:
        if type(entry) is msgspec.Raw:
            return _decode_plain(entry)
        return msgspec.convert(entry, _PlainAnnotation)
    # UnicodeEncodeError is for half a surrogate pair, which only `json` lets through.
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return entry


def _blank_chunk(start: int, count: int) -> AnnotationChunk:
    return AnnotationChunk(
        places=np.arange(start, start + count),
        ids=np.zeros(count, np.int64),
        has_id=np.zeros(count, bool),
        image_ids=np.zeros(count, np.int64),
        has_image_id=np.zeros(count, bool),
        category_ids=np.zeros(count, np.int64),
        has_category_id=np.zeros(count, bool),
        areas=np.full(count, np.nan),
        is_crowd=np.zeros(count, bool),
        segmentations=[None] * count,
        bboxes=[None] * count,
        is_plain=np.zeros(count, bool),
        rings=concatenate([]),
    )


def _fill_plain(
    chunk: AnnotationChunk,
    rows: NDArray[np.int64],
    plain: Sequence[_PlainAnnotation],
    log: ChunkLog,
) -> None:
    for field in ("area", "iscrowd"):
        for row in rows[[getattr(one, field) is None for one in plain]].tolist():
            log.add(chunk.places[row], f"{field}-missing", chunk.pointer(row, f".{field}"))
    chunk.ids[rows] = [one.id for one in plain]
    chunk.image_ids[rows] = [one.image_id for one in plain]
    chunk.category_ids[rows] = [one.category_id for one in plain]
    chunk.areas[rows] = [np.nan if one.area is None else one.area for one in plain]
    chunk.is_crowd[rows] = [one.iscrowd == 1 for one in plain]
    for has in (chunk.is_plain, chunk.has_id, chunk.has_image_id, chunk.has_category_id):
        has[rows] = True
    for row, one in zip(rows.tolist(), plain, strict=True):
        chunk.bboxes[row] = one.bbox
        if type(one.segmentation) is dict:
            chunk.segmentations[row] = one.segmentation


def _fill_other(chunk: AnnotationChunk, row: int, entry: Any, log: ChunkLog) -> None:
    """Write what an annotation that is not plain has, after noting what is wrong with it."""
    pointer = chunk.pointer(row)
    note = log.at(chunk.places[row])
    value = read_value(entry, pointer, note)
    if not isinstance(value, dict):
        if value is not UNREADABLE:
            note("annotation-not-object", pointer, f"found {quote(value)}")
        return
    for key, stem, numbers, has in (
        ("id", "annotation-id", chunk.ids, chunk.has_id),
        ("image_id", "annotation-image", chunk.image_ids, chunk.has_image_id),
        ("category_id", "annotation-category", chunk.category_ids, chunk.has_category_id),
    ):
        number = read_integer(value, key, stem, pointer, note)
        if number is not None:
            numbers[row], has[row] = number, True
    chunk.is_crowd[row] = read_is_crowd(value, pointer, note)
    area = read_area(value, pointer, note)
    chunk.areas[row] = np.nan if area is None else area
    chunk.segmentations[row], chunk.bboxes[row] = value.get("segmentation"), value.get("bbox")
