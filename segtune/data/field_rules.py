"""Fields of an entry that hold the right type of value."""

from __future__ import annotations

import math
from typing import Any

from segtune.data.findings import Note, quote

NUMBERS = frozenset((int, float))  # the exact types, as a bool is an int to isinstance
_IDS = range(-(2**63), 2**63)


def as_float(value: float) -> float:
    """Return a JSON number as float; infinite where an integer has too many digits for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def read_integer(
    entry: dict[str, Any], key: str, stem: str, pointer: str, note: Note
) -> int | None:
    """Return a whole number; or None after noting the rule `stem`-missing or `stem`-type."""
    value = entry.get(key)
    if type(value) is int and value in _IDS:  # a bool is an int to isinstance
        return value
    if value is None:
        note(f"{stem}-missing", f"{pointer}.{key}")
    else:
        note(f"{stem}-type", f"{pointer}.{key}", quote(value))
    return None


def read_is_crowd(entry: dict[str, Any], pointer: str, note: Note) -> bool:
    """Return whether an annotation is marked as crowd, after noting what is no such mark."""
    value = entry.get("iscrowd")
    if value is None:
        note("iscrowd-missing", f"{pointer}.iscrowd")
    elif type(value) is not int or value not in (0, 1):
        note("iscrowd-type", f"{pointer}.iscrowd", quote(value))
    return value == 1


def read_area(entry: dict[str, Any], pointer: str, note: Note) -> float | None:
    """Return the stated area, or None where that of the mask has to do."""
    value = entry.get("area")
    if value is None:
        note("area-missing", f"{pointer}.area")
        return None
    area = as_float(value) if type(value) in NUMBERS else math.nan
    if not math.isfinite(area):
        note("area-type", f"{pointer}.area", quote(value))
        return None
    if area <= 0:
        note("area-not-positive", f"{pointer}.area", quote(value))
        return None
    return area
