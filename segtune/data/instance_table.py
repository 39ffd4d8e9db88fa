"""All instances of a split as columns, one row an instance.

Rows are in the order of `for image in images for instance in image.instances`: ascending image
id, then ascending annotation id.

Shapes: n instances, I images, k rings, P points of all rings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from segtune.masks import Segmentation


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One annotated object."""

    annotation_id: int
    label: int
    box: tuple[float, float, float, float]
    """xyxy in pixels, cut at the image."""
    segmentation: Segmentation
    """As in the file: polygons stay polygons, RLE stays RLE."""
    is_crowd: bool
    area: float
    """Of the mask in pixels, as the file states it."""
    entry: int = field(default=-1, compare=False)
    """Index in the file's `annotations`; -1 for an instance that is not from a file."""


@dataclass(frozen=True, eq=False, slots=True)
class InstanceTable:
    """The instances of a split; nothing in it may be written to."""

    annotation_ids: NDArray[np.int64]  # (n,)
    labels: NDArray[np.int64]  # (n,)
    boxes: NDArray[np.float64]
    """(n, 4), xyxy in pixels, cut at the image."""
    areas: NDArray[np.float64]
    """(n,), of the masks in pixels, as the file states them."""
    is_crowd: NDArray[np.bool_]  # (n,)
    entries: NDArray[np.int64]
    """(n,), index in the file's `annotations`; -1 for an instance that is not from a file."""
    image_starts: NDArray[np.int64]
    """(I + 1,): the instances of image i are the rows from `image_starts[i]` to the next one."""
    points: NDArray[np.float64]
    """(P, 2), x and y of the points of all rings, in the order of instances."""
    ring_starts: NDArray[np.int64]
    """(k + 1,): the points of ring r are those from `ring_starts[r]` to the next one."""
    first_rings: NDArray[np.int64]
    """(n + 1,): the rings of instance i are those from `first_rings[i]` to the next one."""
    rles: Mapping[int, dict[str, Any]]
    """Size and counts of the instances that are no polygons, by row."""

    def __len__(self) -> int:
        return len(self.annotation_ids)

    def image_rows(self) -> NDArray[np.int64]:
        """Return on which image of the split every instance is, (n,)."""
        return np.repeat(np.arange(len(self.image_starts) - 1), np.diff(self.image_starts))

    def rles_between(self, start: int, stop: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the rows from `start` to `stop` that have an RLE, with it."""
        return [(row, self.rles[row]) for row in range(start, stop) if row in self.rles]

    def segmentation(self, row: int) -> Segmentation:
        """Return the mask of one instance as plain values, made anew by every call."""
        rle = self.rles.get(row)
        if rle is not None:
            return {"size": list(rle["size"]), "counts": _plain_counts(rle["counts"])}
        first, end = self.first_rings[row], self.first_rings[row + 1]
        starts = self.ring_starts[first : end + 1].tolist()
        return [self.points[start:stop].ravel().tolist() for start, stop in pairwise(starts)]

    def record(self, row: int) -> InstanceRecord:
        """Return one instance as plain values, made anew by every call."""
        x1, y1, x2, y2 = self.boxes[row].tolist()
        return InstanceRecord(
            int(self.annotation_ids[row]),
            int(self.labels[row]),
            (x1, y1, x2, y2),
            self.segmentation(row),
            bool(self.is_crowd[row]),
            float(self.areas[row]),
            int(self.entries[row]),
        )


class TableSlice(Sequence[InstanceRecord]):
    """The instances of one image: records that are made of rows of a table when asked for.

    It equals any sequence of equal records, and its pickle holds these, not the table.
    """

    __slots__ = ("start", "stop", "table")

    def __init__(self, table: InstanceTable, start: int, stop: int) -> None:
        self.table = table
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    @overload
    def __getitem__(self, index: int) -> InstanceRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[InstanceRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> InstanceRecord | tuple[InstanceRecord, ...]:
        rows = range(self.start, self.stop)[index]
        if isinstance(rows, range):
            return tuple(map(self.table.record, rows))
        return self.table.record(rows)

    def __iter__(self) -> Iterator[InstanceRecord]:
        return map(self.table.record, range(self.start, self.stop))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableSlice | tuple) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # segmentations are lists

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[object, ...]:
        return tuple, (list(self),)


def table_of(images: Sequence[Sequence[InstanceRecord]]) -> InstanceTable:
    """Return the table of the instances of images; without any copy where it is there already."""
    return _common_table(images) or _table_of_records(images)


def _common_table(images: Sequence[Sequence[InstanceRecord]]) -> InstanceTable | None:
    """Return the table that all images are slices of, when they are all of it in its order."""
    first = images[0] if images else None
    if not isinstance(first, TableSlice) or len(images) + 1 != len(first.table.image_starts):
        return None
    starts = first.table.image_starts.tolist()
    for image, (start, stop) in zip(images, pairwise(starts), strict=True):
        if not isinstance(image, TableSlice) or image.table is not first.table:
            return None
        if (image.start, image.stop) != (start, stop):
            return None
    return first.table


def _table_of_records(images: Sequence[Sequence[InstanceRecord]]) -> InstanceTable:
    instances = [instance for image in images for instance in image]
    rles = {
        row: instance.segmentation
        for row, instance in enumerate(instances)
        if isinstance(instance.segmentation, dict)
    }
    polygons = [
        () if isinstance(instance.segmentation, dict) else instance.segmentation
        for instance in instances
    ]
    rings = list(chain.from_iterable(polygons))
    numbers = np.fromiter(chain.from_iterable(rings), np.float64)  # (2 P,)
    return InstanceTable(
        annotation_ids=np.array([instance.annotation_id for instance in instances], np.int64),
        labels=np.array([instance.label for instance in instances], np.int64),
        boxes=np.array([instance.box for instance in instances], np.float64).reshape(-1, 4),
        areas=np.array([instance.area for instance in instances], np.float64),
        is_crowd=np.array([instance.is_crowd for instance in instances], bool),
        entries=np.array([instance.entry for instance in instances], np.int64),
        image_starts=starts_of(np.array(list(map(len, images)), np.int64)),
        points=numbers.reshape(-1, 2),
        ring_starts=starts_of(np.array(list(map(len, rings)), np.int64) // 2),
        first_rings=starts_of(np.array(list(map(len, polygons)), np.int64)),
        rles=rles,
    )


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where stretches of these lengths (n,) start when laid end to end, and the end."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _plain_counts(counts: Any) -> Any:
    return counts.tolist() if isinstance(counts, np.ndarray) else counts
