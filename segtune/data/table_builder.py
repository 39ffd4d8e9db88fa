"""A table of instances gathered from chunks in file order.

Shapes: n instances of one chunk, N of all, k rings, P points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.data.instance_table import InstanceTable, starts_of
from segtune.data.ring_arrays import stretches


@dataclass(eq=False, slots=True)
class InstanceChunk:
    """Sound annotations, in any order; rings in the order of annotations."""

    places: NDArray[np.int64]
    """(n,), the indices in the list of the file."""
    annotation_ids: NDArray[np.int64]
    image_rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64]  # (n, 4)
    areas: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    num_rings: NDArray[np.int64]  # (n,)
    ring_lengths: NDArray[np.int64]  # (k,), in points
    points: NDArray[np.float64]  # (P, 2)
    rles: dict[int, dict[str, Any]]
    """Size and counts, by row of the chunk; the counts are text or an array."""


class TableBuilder:
    """Takes instances a chunk at a time, as they come, and sorts them in the end."""

    def __init__(self) -> None:
        self._chunks: list[InstanceChunk] = []

    def add(self, chunk: InstanceChunk) -> None:
        """Take the next chunk."""
        self._chunks.append(chunk)

    def build(self, num_images: int, without: NDArray[np.int64]) -> InstanceTable:
        """Return the table of all instances but those at places `without`; this can be done once.

        Args:
            num_images: How many images there are.
            without: Indices in the list of the file, ascending.
        """
        chunks = self._chunks
        is_kept = ~np.isin(_all(chunks, "places", np.int64), without)
        images, ids = _all(chunks, "image_rows", np.int64), _all(chunks, "annotation_ids", np.int64)
        order = np.lexsort((ids, images))
        order = order[is_kept[order]]  # (N,), the row among all chunks of every row of the table
        num_rings = _all(chunks, "num_rings", np.int64)
        ring_order = stretches(starts_of(num_rings)[order], num_rings[order])
        ring_lengths = _all(chunks, "ring_lengths", np.int64)
        ring_starts = starts_of(ring_lengths[ring_order])
        # Where the points of each ring of the chunks go; -1 for those of an instance left out.
        targets = np.full(len(ring_lengths), -1)
        targets[ring_order] = ring_starts[:-1]
        return InstanceTable(
            annotation_ids=ids[order],
            labels=_all(chunks, "labels", np.int64)[order],
            boxes=_all(chunks, "boxes", np.float64, 4)[order],
            areas=_all(chunks, "areas", np.float64)[order],
            is_crowd=_all(chunks, "is_crowd", np.bool_)[order],
            entries=_all(chunks, "places", np.int64)[order],
            image_starts=starts_of(np.bincount(images[order], minlength=num_images)),
            rles=self._rles(order, len(ids)),
            points=self._take_points(targets, int(ring_starts[-1])),
            ring_starts=ring_starts,
            first_rings=starts_of(num_rings[order]),
        )

    def _rles(self, order: NDArray[np.int64], num_rows: int) -> dict[int, dict[str, Any]]:
        rows = np.full(num_rows, -1)  # in the table, -1 for one that is left out
        rows[order] = np.arange(len(order))
        found = {}
        start = 0
        for chunk in self._chunks:
            own_rows = rows[start : start + len(chunk.places)]
            start += len(own_rows)
            found.update({int(own_rows[row]): rle for row, rle in chunk.rles.items()})
        found.pop(-1, None)
        return found

    def _take_points(self, targets: NDArray[np.int64], num_points: int) -> NDArray[np.float64]:
        """Return all points (P, 2) in table order, and let those of the chunks go meanwhile."""
        # A point is one complex number, so that it moves as one item.
        points = np.empty(num_points, np.complex128)
        start = 0
        for chunk in self._chunks:
            lengths = chunk.ring_lengths
            to = targets[start : start + len(lengths)]
            start += len(lengths)
            is_kept = to >= 0
            source = chunk.points.view(np.complex128)[:, 0]
            if not is_kept.all():
                source = source[np.repeat(is_kept, lengths)]
            points[stretches(to[is_kept], lengths[is_kept])] = source
            chunk.points = np.zeros((0, 2))
        self._chunks.clear()
        return points.view(np.float64).reshape(-1, 2)


def _all(chunks: list[InstanceChunk], name: str, dtype: Any, width: int = 0) -> NDArray[Any]:
    blank = np.zeros((0, width) if width else 0, dtype)
    return np.concatenate([blank, *(getattr(chunk, name) for chunk in chunks)])
