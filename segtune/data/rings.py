"""The rings of a whole split, a chunk of instances at a time, as arrays.

Shapes: P points and k rings of one chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.coco import CocoDataset

CHUNK = 8192  # instances, about 200,000 points of an ordinary dataset


@dataclass(frozen=True, eq=False, slots=True)
class RingChunk:
    """The rings of successive instances; an instance has all of its rings in one chunk."""

    points: NDArray[np.float64]
    """(P, 2), x and y in pixels as in the file; a view that is not to be written to."""
    starts: NDArray[np.int64]
    """(k + 1,): the points of ring r are those from `starts[r]` to the next one, at least 3."""
    instances: NDArray[np.int64]
    """(k,), ascending: the row of `dataset.table` that a ring belongs to."""

    def __len__(self) -> int:
        return len(self.instances)


def iterate_rings(dataset: CocoDataset, chunk: int = CHUNK) -> Iterator[RingChunk]:
    """Yield all rings of a split, those of `chunk` instances at a time.

    Instances with an RLE have no rings; a stretch of instances without any is left out.
    """
    table = dataset.table
    for start in range(0, len(table), chunk):
        stop = min(start + chunk, len(table))
        first_rings = table.first_rings[start : stop + 1]
        starts = table.ring_starts[first_rings[0] : first_rings[-1] + 1]
        if len(starts) > 1:
            yield RingChunk(
                table.points[starts[0] : starts[-1]],
                starts - starts[0],
                np.repeat(np.arange(start, stop), np.diff(first_rings)),
            )
