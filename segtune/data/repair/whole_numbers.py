"""Ids and sizes that were written as text or with a decimal point."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container
from typing import Any

from segtune.data.repair.document import Section, SplitDocument

_DIGITS = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*")
_EXACT_BELOW = 2.0**53  # floats hold every whole number up to here


def repair_numbers(split: SplitDocument) -> None:
    """Make whole numbers of ids, references and sizes that stand for one.

    Where a list has ids that differ in writing alone, such as 7 and "7", those stay as they are,
    and so do references to them.
    """
    images, categories = _written_twice(split, "images"), _written_twice(split, "categories")
    for entry in split.entries("images"):
        _repair(split, entry, "id", images)
        _repair(split, entry, "width")
        _repair(split, entry, "height")
    for entry in split.entries("categories"):
        _repair(split, entry, "id", categories)
    for entry in split.entries("annotations"):
        _repair(split, entry, "id")
        _repair(split, entry, "image_id", images)
        _repair(split, entry, "category_id", categories)


def as_whole_number(value: Any) -> int | None:
    """Return the whole number that text of digits or a float stands for; None for all else."""
    if type(value) is str:
        match = _DIGITS.fullmatch(value)
        return int(match[1]) if match else None
    if type(value) is float and value.is_integer() and abs(value) < _EXACT_BELOW:
        return int(value)
    return None


def _repair(
    split: SplitDocument, entry: Any, key: str, ambiguous: Container[int] = frozenset()
) -> None:
    number = as_whole_number(entry.values.get(key))
    if number is not None and number not in ambiguous:
        split.set(entry, key, number, "number")


def _written_twice(split: SplitDocument, section: Section) -> set[int]:
    """Return the ids of a list that are written in more than one way."""
    forms: dict[int, set[tuple[type, Any]]] = defaultdict(set)
    for entry in split.entries(section):
        value = entry.values.get("id")
        number = value if type(value) is int else as_whole_number(value)
        if number is not None:
            forms[number].add((type(value), value))
    return {number for number, written in forms.items() if len(written) > 1}
