"""The shapes of one LabelMe file as instances.

Shapes: H x W image.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedInstance
from segtune.formats.labelme_picture import embedded_mask
from segtune.formats.rings import Ring, ellipse, rectangle, ring_fault, ring_of_points

BACKGROUND = "_background_"
IGNORED = "__ignore__"
CROWD_FLAG = "iscrowd"
HOLE_FLAG = "hole"

Part = Ring | masks.Rle


@dataclass(frozen=True)
class _Shape:
    label: str
    kind: str
    part: Part
    group: Hashable
    """None for a shape by itself."""
    may_be_hole: bool
    is_crowd: bool


@dataclass
class _Growing:
    """An instance that shapes are being added to and cut out of."""

    label: str
    group: Hashable
    is_crowd: bool
    parts: list[Part] = field(default_factory=list)
    holes: list[Part] = field(default_factory=list)


def instances_of(
    shapes: Sequence[Any], size_hw: tuple[int, int], place: str, account: Account
) -> tuple[AnnotatedInstance, ...]:
    """Return the instances that shapes make up: those of one group and label are one instance."""
    read = [
        _read(shape, size_hw, f"{place}, shapes[{number}]", account)
        for number, shape in enumerate(shapes)
    ]
    sound = [shape for shape in read if shape is not None]
    _note_mixed_groups(sound, place, account)
    growing: list[_Growing] = []
    for shape in sound:
        _add(shape, sound, growing, size_hw, place, account)
    return tuple(
        AnnotatedInstance(one.label, _segmentation(one, size_hw), one.is_crowd) for one in growing
    )


def _read(shape: Any, size_hw: tuple[int, int], place: str, account: Account) -> _Shape | None:
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        account.lose("shape without a label", place)
        return None
    label = shape["label"]
    if label == IGNORED or not label.strip():
        account.lose(f"shape labelled '{label}'", place)
        return None
    kind = shape.get("shape_type") or "polygon"  # before LabelMe 3.2 there were polygons only
    part = _part(shape, str(kind), size_hw)
    if isinstance(part, str):
        account.lose(part, f"{place}, {label}")
        return None
    account.carry(f"{kind} shape")
    flags = shape.get("flags")
    true_flags = {name for name, value in flags.items() if value} if isinstance(flags, dict) else {}
    if set(true_flags) - {CROWD_FLAG, HOLE_FLAG} or shape.get("description"):
        account.lose("flags or description of a shape", f"{place}, {label}")
    group = shape.get("group_id")
    return _Shape(
        label=label,
        kind=str(kind),
        part=part,
        group=group if isinstance(group, int | str) else None,
        may_be_hole=HOLE_FLAG in true_flags or shape.get("difficult") is True,
        is_crowd=CROWD_FLAG in true_flags,
    )


def _part(shape: dict[str, Any], kind: str, size_hw: tuple[int, int]) -> Part | str:
    """Return ring or RLE of a shape, or what keeps it from being carried over."""
    points = ring_of_points(shape.get("points"))
    if points is None:
        return "shape whose points are no list of [x, y]"
    if not all(math.isfinite(value) for value in points):
        return "polygon with a coordinate that is not a finite number"
    if kind == "mask":
        return _mask(shape, points, size_hw)
    if kind in ("polygon", "rotation") or (kind == "rectangle" and len(points) == 8):
        ring = points
    elif kind == "rectangle" and len(points) == 4:
        ring = rectangle(*points)
    elif kind == "circle" and len(points) == 4:
        radius = math.dist(points[:2], points[2:])
        if radius > 2 * max(size_hw):
            return "circle far larger than its image"
        ring = ellipse((points[0], points[1]), (radius, radius))
    elif kind in ("rectangle", "circle"):
        return f"{kind} with {len(points) // 2} points"
    else:
        return f"{kind} shape, which has no area"
    return ring_fault(ring, size_hw) or ring


def _mask(shape: dict[str, Any], points: Ring, size_hw: tuple[int, int]) -> Part | str:
    """Return the mask that LabelMe keeps as a picture of the box between two points."""
    small = embedded_mask(shape.get("mask"))
    if small is None or len(points) < 2:
        return "mask shape whose picture is damaged"
    left, top = int(points[0]), int(points[1])  # whole numbers, as LabelMe takes them
    height, width = size_hw
    bottom, right = min(top + small.shape[0], height), min(left + small.shape[1], width)
    first_row, first_column = max(top, 0), max(left, 0)
    if bottom <= first_row or right <= first_column:
        return "mask without a pixel on its image"
    bitmap = np.zeros(size_hw, np.bool_)
    bitmap[first_row:bottom, first_column:right] = small[
        first_row - top : bottom - top, first_column - left : right - left
    ]
    return masks.encode(bitmap)


def _note_mixed_groups(shapes: Sequence[_Shape], place: str, account: Account) -> None:
    labels: dict[Hashable, set[str]] = {}
    for shape in shapes:
        if shape.group is not None and shape.label != BACKGROUND:
            labels.setdefault(shape.group, set()).add(shape.label)
    for group, names in labels.items():
        if len(names) > 1:
            account.note(
                "group of several labels; each label is an instance of its own",
                f"{place}, group {group}: {', '.join(sorted(names))}",
            )


def _add(
    shape: _Shape,
    shapes: Sequence[_Shape],
    growing: list[_Growing],
    size_hw: tuple[int, int],
    place: str,
    account: Account,
) -> None:
    """Add a shape to its instance, or cut it out of those it is a hole of."""
    if shape.label == BACKGROUND:
        targets = [one for one in growing if shape.group in (None, one.group)]
        touched = [one for one in targets if _overlaps(one, shape.part, size_hw)]
        for one in touched:
            one.holes.append(shape.part)
        if not touched:
            account.lose(f"{BACKGROUND} shape that covers no instance", place)
        return
    if shape.group is not None:
        is_hole = shape.may_be_hole and any(
            other.group == shape.group and other.label == shape.label and not other.may_be_hole
            for other in shapes
        )
        for one in growing:
            if one.group == shape.group and one.label == shape.label:
                (one.holes if is_hole else one.parts).append(shape.part)
                one.is_crowd |= shape.is_crowd
                return
    else:
        is_hole = False
    new = _Growing(shape.label, shape.group, shape.is_crowd)
    (new.holes if is_hole else new.parts).append(shape.part)
    growing.append(new)


def _overlaps(one: _Growing, hole: Part, size_hw: tuple[int, int]) -> bool:
    return bool((_union(one.parts, size_hw) & _bitmap(hole, size_hw)).any())


def _segmentation(one: _Growing, size_hw: tuple[int, int]) -> masks.Segmentation:
    """Return rings where rings say all; COCO has holes and painted masks as RLE only."""
    rings = [part for part in one.parts if isinstance(part, list)]
    if not one.holes and len(rings) == len(one.parts):
        return rings
    bitmap = _union(one.parts, size_hw) & ~_union(one.holes, size_hw)
    return dict(masks.encode(bitmap))


def _union(parts: Sequence[Part], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    union = np.zeros(size_hw, np.bool_)
    for part in parts:
        union |= _bitmap(part, size_hw)
    return union


def _bitmap(part: Part, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    return masks.rasterise([part] if isinstance(part, list) else dict(part), size_hw)
