"""Polygons without area that stand beside real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.data.repair.document import Entry, SplitDocument
from segtune.data.repair.masks_of_entries import enclosed_area, points_of

_FLAT_PX = 0.01
_LARGEST_SIDE = 65535


def repair_rings(split: SplitDocument) -> None:
    """Remove rings under three points and flat ones from every annotation that has others.

    The mask keeps each of its pixels.
    """
    for entry in split.entries("annotations"):
        segmentation = entry.values.get("segmentation")
        if isinstance(segmentation, list) and len(segmentation) > 1:
            _repair(split, entry, segmentation)


def _repair(split: SplitDocument, entry: Entry, segmentation: list[Any]) -> None:
    points = [points_of(ring) for ring in segmentation]
    flat = [ring is not None and _is_flat(ring) for ring in points]
    has_others = any(
        ring is not None and not is_flat for ring, is_flat in zip(points, flat, strict=True)
    )
    if not has_others or not any(flat):
        return
    for number, is_flat in enumerate(flat):
        if is_flat:
            pointer = f"{entry.pointer}.segmentation[{number}]"
            split.note(pointer, "ring", segmentation[number], None)
    entry.values["segmentation"] = [
        ring for ring, is_flat in zip(segmentation, flat, strict=True) if not is_flat
    ]


def _is_flat(points: NDArray[np.float64]) -> bool:
    """Return whether a ring (n, 2) has under three points, or no area and not one pixel."""
    if len(points) < 3:
        return True
    if not enclosed_area(points) < _FLAT_PX:
        return False
    # A figure eight has pixels, though its halves cancel out.
    corner = np.floor(points.min(axis=0))
    width, height = (np.ceil(points.max(axis=0)) - corner + 1).tolist()
    if max(width, height) > _LARGEST_SIDE:
        return False
    shifted = (points - corner).ravel().tolist()
    return masks.area([shifted], (int(height), int(width))) == 0
