"""The same categories under the same ids in both splits."""

from __future__ import annotations

import copy
from typing import Any

from segtune.data.repair.document import SplitDocument

Declared = dict[int, dict[str, Any]]


def repair_categories(train: SplitDocument, val: SplitDocument) -> None:
    """Give val the ids of train where names are the same, and both what only one declares.

    Nothing is done where a split has faulty or repeated categories, or where ids contradict each
    other and the names are not the same: which class is meant would be a guess.
    """
    in_train, in_val = _declared(train), _declared(val)
    if not in_train or not in_val:
        return
    names, val_names = _names(in_train), _names(in_val)
    if set(names) == set(val_names):
        if names != val_names:
            _renumber(val, {val_names[name]: names[name] for name in val_names})
        return
    together = {**names, **val_names}
    agree = all(val_names.get(name, number) == number for name, number in names.items())
    if not agree or len(set(together.values())) != len(together):
        return
    _declare(val, [entry for number, entry in in_train.items() if number not in in_val])
    _declare(train, [entry for number, entry in in_val.items() if number not in in_train])


def _declared(split: SplitDocument) -> Declared | None:
    """Return the categories of a split by id; None when one is faulty or there twice."""
    found: Declared = {}
    for entry in split.entries("categories"):
        number, name = entry.whole("id"), entry.values.get("name")
        if number is None or number in found:
            return None
        if not isinstance(name, str) or not name.strip():
            return None
        found[number] = entry.values
    names = _names(found)
    return found if len(names) == len(found) else None


def _names(declared: Declared) -> dict[str, int]:
    return {values["name"]: number for number, values in declared.items()}


def _renumber(split: SplitDocument, to: dict[int, int]) -> None:
    for entry in split.entries("categories"):
        if to[entry.values["id"]] != entry.values["id"]:
            split.set(entry, "id", to[entry.values["id"]], "category-id")
    for entry in split.entries("annotations"):
        number = entry.whole("category_id")
        if number is not None and to.get(number, number) != number:
            split.set(entry, "category_id", to[number], "category-id")


def _declare(split: SplitDocument, entries: list[dict[str, Any]]) -> None:
    for values in entries:
        split.append("categories", copy.deepcopy(values), "category-declared")
