"""Rings of points: those of simple shapes, and what can be wrong with one.

A ring is flat, x and y in turn, in continuous pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

Ring = list[float]

_NUMBERS = (int, float)
_SAGITTA_PX = 0.05  # between a circle and the chords that stand for it; no pixel changes by it
_FEWEST_CORNERS = 12


def ring_of_points(points: Any) -> Ring | None:
    """Return the ring of a list of [x, y] pairs; None where it is anything else."""
    if not isinstance(points, list):
        return None
    for point in points:
        if not (isinstance(point, list) and len(point) == 2):
            return None
        if not all(type(value) in _NUMBERS for value in point):
            return None
    return [_as_float(value) for value in chain.from_iterable(points)]


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Ring:
    """Return the ring around a rectangle given by two opposite corners."""
    left, right = min(x1, x2), max(x1, x2)
    top, bottom = min(y1, y2), max(y1, y2)
    return [left, top, right, top, right, bottom, left, bottom]


def ellipse(
    centre_xy: tuple[float, float], radii_xy: tuple[float, float], turn_degrees: float = 0.0
) -> Ring:
    """Return a ring that nowhere leaves an ellipse by more than 0.05 pixels."""
    longest = max(radii_xy)
    corners = _FEWEST_CORNERS
    if longest > _SAGITTA_PX:
        corners = max(corners, math.ceil(math.pi / math.acos(1 - _SAGITTA_PX / longest)))
    turn = math.radians(turn_degrees)
    ring = []
    for number in range(corners):
        angle = 2 * math.pi * number / corners
        along, across = radii_xy[0] * math.cos(angle), radii_xy[1] * math.sin(angle)
        ring.append(centre_xy[0] + along * math.cos(turn) - across * math.sin(turn))
        ring.append(centre_xy[1] + along * math.sin(turn) + across * math.cos(turn))
    return ring


def ring_fault(ring: Sequence[float], size_hw: tuple[int, int]) -> str | None:
    """Return what keeps a ring from being drawn on an image, or None."""
    if len(ring) % 2:
        return "polygon with an odd number of coordinates"
    if len(ring) < 6:
        return "polygon of fewer than three points"
    if not all(type(value) in _NUMBERS and math.isfinite(_as_float(value)) for value in ring):
        return "polygon with a coordinate that is not a finite number"
    height, width = size_hw
    reach = max(size_hw)  # as check-dataset: points further out than this are of another image
    xs, ys = ring[0::2], ring[1::2]
    if min(xs) < -reach or min(ys) < -reach or max(xs) > width + reach or max(ys) > height + reach:
        return "polygon far outside its image"
    return None


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
