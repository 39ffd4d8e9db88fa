"""What is wrong with a recipe, in plain words: one fault a line, all of them in one error."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from segtune.errors import RecipeError
from segtune.recipe import Recipe
from segtune.strict_yaml import Location

_WANTED = {
    "bool_type": "true or false",
    "dict_type": "a group of keys",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_type": "a whole number",
    "model_attributes_type": "a group of keys",
    "model_type": "a group of keys",
    "path_type": "a path",
    "string_type": "text (in quotes if it looks like a number)",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
REMEDY = "`segtune recipes schema` and docs/recipes.md tell every key, its type and its default"


# The line of a recipe file, from 1, or the override that says something.
Place = int | str


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: its key, what is wrong with it, where it stands, what may help."""

    key: str  # optimizer.lr
    problem: str  # follows the key in a sentence
    place: Place
    remedy: str | None = None

    def __str__(self) -> str:
        remedy = "" if self.remedy is None else f"; {self.remedy}"
        place = f"line {self.place}" if isinstance(self.place, int) else self.place
        return f"{place}: {self.key} {self.problem}{remedy}"


def dotted(location: Location) -> str:
    """Return a location as the dotted key that `--set` takes: `optimizer.lr`, `image_size[1]`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the recipe"


def fault_of(error: ErrorDetails, place: Place) -> Fault:
    """Return one entry of a pydantic report in the project's words."""
    location, kind = error["loc"], error["type"]
    key = dotted(location)
    if kind == "extra_forbidden":
        return Fault(key, "is not a key of recipes", place, _nearest_key(location))
    return Fault(key, _problem(kind, error), place)


def recipe_error(source: str, faults: Sequence[Fault]) -> RecipeError:
    """Return the one error that tells all `faults` of the recipe called `source`."""
    if len(faults) == 1:
        fault = faults[0]
        in_file = isinstance(fault.place, int)
        return RecipeError(
            f"{fault.key} {fault.problem}",
            where=f"{source}, line {fault.place}, {fault.key}" if in_file else str(fault.place),
            remedy=fault.remedy or REMEDY,
        )
    lines = "".join(f"\n  {fault}" for fault in sorted(faults, key=_line))
    return RecipeError(f"the recipe has {len(faults)} faults{lines}", where=source, remedy=REMEDY)


def _line(fault: Fault) -> float:
    """Return where a fault comes in a report: by line, overrides last."""
    return fault.place if isinstance(fault.place, int) else math.inf


def _problem(kind: str, error: ErrorDetails) -> str:
    given, context = _shown(error["input"]), error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"should be one of {context['expected']}, not {given}"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"should be {words} {context[name]:g}, not {given}"
    if kind in ("too_long", "too_short"):
        limit = context.get("max_length", context.get("min_length"))
        return f"has {context['actual_length']} items instead of {limit}"
    if kind == "string_too_short":
        return "should not be empty"
    if kind in _WANTED:
        return f"should be {_WANTED[kind]}, not {given}"
    return f"is refused: {error['msg']}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return f"the list {value}"
    return str(value)


def _nearest_key(location: Location) -> str | None:
    """Return a question with the known keys closest to an unknown one, or None."""
    *group, name = map(str, location)
    siblings = [key for key in known_keys() if key.split(".")[:-1] == group]
    near = difflib.get_close_matches(".".join([*group, name]), siblings, n=1, cutoff=0.6)
    near = near or [key for key in known_keys() if key.split(".")[-1] == name]
    return f"did you mean {' or '.join(near)}?" if near else None


def known_keys() -> list[str]:
    """Return every key of a recipe, dotted, groups before what is in them."""
    keys = []
    for name, info in Recipe.model_fields.items():
        keys.append(name)
        keys += [f"{name}.{inner}" for inner in _fields(info.annotation)]
    return keys


def _fields(annotation: Any) -> list[str]:
    kinds = (annotation, *get_args(annotation))
    return [
        name
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name in kind.model_fields
    ]
