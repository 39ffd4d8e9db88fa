"""The outlines of a bitmap as rings, and several rings as one.

Shapes: p points of a ring, H x W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_FINER = 4  # the outline is traced on a grid this much finer, to run along pixel edges
_LEEWAY_PX = 0.3  # measured: the rasterised polygon is then the bitmap itself

Points = NDArray[np.float64]  # (p, 2), x and y in pixels


@dataclass(frozen=True)
class Outline:
    """One ring of a bitmap: the outside of a part, or the edge of a hole in it."""

    points: Points  # (p, 2)
    is_hole: bool


def trace(bitmap: NDArray[np.bool_]) -> list[Outline]:
    """Return the rings of a bitmap (H, W), each part followed by its holes.

    A ring that shrinks to less than three points, which a speck of one pixel does not, is left
    out.
    """
    left, top, width, height = cv2.boundingRect(bitmap.astype(np.uint8))
    window = bitmap[top : top + height, left : left + width].astype(np.uint8)
    if window.size == 0:
        return []
    fine = window.repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    rings, tree = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outlines = []
    for part in _siblings(tree, 0):
        holes = _siblings(tree, int(tree[0, part, 2]))
        for number in [part, *holes]:
            simple = cv2.approxPolyDP(rings[number], _LEEWAY_PX * _FINER, closed=True)[:, 0]
            if len(simple) >= 3:
                points = np.asarray((simple + 0.5) / _FINER + (left, top), np.float64)
                outlines.append(Outline(points, is_hole=number != part))
    return outlines


def join(rings: Sequence[Points]) -> Points:
    """Return one ring (p, 2) that encloses what the rings enclose.

    Ring after ring is reached over the shortest bridge between two corners, walked there and
    back, so that the bridge has no width. Rings must not overlap: what two of them cover, a
    ring that is filled by the even-odd rule leaves out. A hole is joined like any other ring.

    Raises:
        ValueError: There is no ring.
    """
    if not rings:
        raise ValueError("no ring to join")
    joined, *waiting = rings
    while waiting:
        gaps = [_nearest(joined, ring) for ring in waiting]
        chosen = min(range(len(waiting)), key=lambda number: gaps[number][0])
        _, here, there = gaps[chosen]
        ring = waiting.pop(chosen)
        detour = [ring[there:], ring[: there + 1]]
        joined = np.concatenate([joined[: here + 1], *detour, joined[here:]])
    return joined


def _nearest(one: Points, other: Points) -> tuple[float, int, int]:
    """Return squared distance, and places in both rings, of the two corners that are nearest."""
    squared = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    here, there = np.unravel_index(int(squared.argmin()), squared.shape)
    return float(squared[here, there]), int(here), int(there)


def _siblings(tree: NDArray[np.int32], first: int) -> list[int]:
    """Return a contour and those that follow it on its level; none where `first` is -1."""
    found = []
    while first >= 0:
        found.append(first)
        first = int(tree[0, first, 0])
    return found
