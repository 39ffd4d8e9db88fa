"""Rings of polygons as flat arrays.

Shapes: k rings, C coordinates of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.data.field_rules import as_float
from segtune.data.instance_table import starts_of


@dataclass(eq=False, slots=True)
class RingArrays:
    """The rings of some annotations, one after the other."""

    coordinates: NDArray[np.float64]
    """(C,), x and y in turns; of a faulty ring the number may be odd."""
    lengths: NDArray[np.int64]
    """(k,), how many coordinates each ring has."""
    rows: NDArray[np.int64]
    """(k,), the annotation of each ring."""
    numbers: NDArray[np.int64]
    """(k,), the place of each ring among those of its annotation."""

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rings: NDArray[np.int64]) -> RingArrays:
        """Return some of the rings, in the order asked for."""
        starts = starts_of(self.lengths)[rings]
        lengths = self.lengths[rings]
        coordinates = self.coordinates[stretches(starts, lengths)]
        return RingArrays(coordinates, lengths, self.rows[rings], self.numbers[rings])

    def keep(self, is_kept: NDArray[np.bool_]) -> RingArrays:
        """Return the rings that are marked, (k,)."""
        return self if is_kept.all() else self.take(np.flatnonzero(is_kept))

    def polygon(self, row: int, starts: NDArray[np.int64]) -> list[list[float]]:
        """Return the rings of one annotation as plain values.

        Args:
            row: The annotation; `rows` has to be ascending.
            starts: `starts_of(lengths)`, which serves for many annotations.
        """
        first, end = np.searchsorted(self.rows, [row, row + 1])
        bounds = pairwise(starts[first : end + 1].tolist())
        return [self.coordinates[begin:stop].tolist() for begin, stop in bounds]


def flatten(polygons: Sequence[Sequence[Sequence[float]]], rows: NDArray[np.int64]) -> RingArrays:
    """Return the rings of polygons that belong to annotations `rows`."""
    rings = list(chain.from_iterable(polygons))
    counts = np.fromiter(map(len, polygons), np.int64, len(polygons))
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    return RingArrays(
        _floats(rings, int(lengths.sum())),
        lengths,
        np.repeat(rows, counts),
        np.arange(len(rings)) - np.repeat(starts_of(counts)[:-1], counts),
    )


def concatenate(parts: Sequence[RingArrays]) -> RingArrays:
    """Return the rings of all parts, those of the first one first."""
    return RingArrays(*(_joined(parts, name) for name in RingArrays.__slots__))


def stretches(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices in stretches that start at `starts` and have these lengths."""
    offsets = starts - starts_of(lengths)[:-1]
    return np.arange(int(lengths.sum())) + np.repeat(offsets, lengths)


def _joined(parts: Sequence[RingArrays], name: str) -> NDArray[Any]:
    blank = np.zeros(0, np.float64 if name == "coordinates" else np.int64)
    return np.concatenate([blank, *(getattr(part, name) for part in parts)])


def _floats(rings: Sequence[Sequence[float]], count: int) -> NDArray[np.float64]:
    try:
        return np.fromiter(chain.from_iterable(rings), np.float64, count)
    except OverflowError:  # an integer beyond every float: take the slow way that allows it
        return np.fromiter(map(as_float, chain.from_iterable(rings)), np.float64, count)
