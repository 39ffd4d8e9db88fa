"""Recipes as files: found by path or name, read strictly, overridden, written back."""

from __future__ import annotations

import copy
import difflib
import importlib.resources
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segtune import strict_yaml, zoo
from segtune.errors import RecipeError
from segtune.recipe import Recipe
from segtune.recipe_faults import Fault, Place, dotted, fault_of, recipe_error
from segtune.strict_yaml import Location, YamlError

Places = dict[Location, Place]


def load_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a file, or of a shipped name, with `key=value` overrides applied.

    Args:
        path_or_name: A YAML file, or a name of `list_recipes()`, with or without `.yaml`.
        overrides: `optimizer.lr=1e-4` and the like; a value is read as YAML, never evaluated.

    Raises:
        RecipeError: All faults at once, each with its line or override and the nearest key.
    """
    path = find_recipe(path_or_name)
    tree, places, faults = _read(path)
    for override in overrides:
        faults += _apply(override, tree, places)
    recipe, more = _validate(tree, places)
    faults += more
    if recipe is None or faults:
        raise recipe_error(str(path), faults)
    return recipe


def find_recipe(path_or_name: str | Path) -> Path:
    """Return the file of a recipe given by path or by shipped name. Raises RecipeError."""
    path = Path(path_or_name)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(
            f"{path} is a folder, not a recipe",
            where=str(path),
            remedy="name the YAML file in it",
        )
    name = path.name.removesuffix(".yaml")
    if path.parent == Path() and name in list_recipes():
        return _shipped_folder() / f"{name}.yaml"
    near = difflib.get_close_matches(name, list_recipes(), n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise RecipeError(
        f"there is no recipe {str(path_or_name)!r}",
        where=str(path_or_name),
        remedy=f"{guess}give a YAML file, or one of {', '.join(list_recipes())}",
    )


def list_recipes() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in _shipped_folder().glob("*.yaml"))


def dump_recipe(recipe: Recipe) -> str:
    """Return YAML with every key of `recipe`, which loads as an equal recipe."""
    return strict_yaml.dump(recipe.model_dump(mode="json"))


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema that editors complete and check recipes with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
    }


def _shipped_folder() -> Path:
    """Return where recipes lie: in the installed package, or at the root of a checkout."""
    package = Path(str(importlib.resources.files("segtune")))
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def _read(path: Path) -> tuple[dict[str, Any], Places, list[Fault]]:
    try:
        document = strict_yaml.read(path.read_text(encoding="utf-8-sig"))
    except YamlError as error:
        line = "" if error.line is None else f", line {error.line}"
        raise RecipeError(
            f"the recipe is not YAML: {error.problem}",
            where=f"{path}{line}",
            remedy="correct the line, or start from `segtune recipes show pp_yoloe_seg_s`",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"the recipe cannot be read: {error}",
            where=str(path),
            remedy="give a readable text file in UTF-8",
        ) from error
    if not isinstance(document.value, dict):
        raise RecipeError(
            "the recipe holds no keys",
            where=str(path),
            remedy="write `model: PP-YOLOE_seg-S` and what else differs from the defaults",
        )
    places: Places = dict(document.lines)
    faults = [Fault(dotted(location), problem, line) for location, line, problem in document.faults]
    return document.value, places, faults


def _apply(override: str, tree: dict[str, Any], places: Places) -> list[Fault]:
    """Put one `key=value` into `tree` in place; unknown keys are left for the schema to refuse."""
    key, separator, text = override.partition("=")
    place = f"--set {override}"
    location = tuple(key.strip().split("."))
    if not separator or not all(location):
        return [Fault(repr(override), "is not key=value, such as optimizer.lr=1e-4", place)]
    try:
        value = strict_yaml.read(text).value
    except YamlError as error:
        remedy = f"put text in quotes: --set '{key}=\"...\"'"
        return [Fault(key, f"has a value that is not YAML ({error.problem})", place, remedy)]
    group = tree
    for depth, part in enumerate(location[:-1], start=1):
        if not isinstance(group.get(part), dict):
            group[part] = {}
            places[location[:depth]] = place
        group = group[part]
    group[location[-1]] = value
    for below in [known for known in places if known[: len(location)] == location]:
        del places[below]
    places[location] = place
    return []


def _validate(tree: dict[str, Any], places: Places) -> tuple[Recipe | None, list[Fault]]:
    """Return the recipe that `tree` says, if it says one, and all that is wrong with it.

    Pydantic looks for contradictions only in groups that are otherwise right. So what it refuses
    is left out and the rest checked again, until nothing new comes up.
    """
    faults: dict[Location, Fault] = {}
    remaining = copy.deepcopy(tree)
    recipe: Recipe | None = None
    while recipe is None:
        try:
            # As JSON, strict mode admits lists for tuples and text for paths, and nothing looser.
            recipe = Recipe.model_validate_json(json.dumps(remaining), strict=True)
        except ValidationError as error:
            for entry in error.errors(include_url=False):
                location = entry["loc"]
                faults.setdefault(location, fault_of(entry, _place(location, places)))
                _leave_out(location, remaining)
    found = [*faults.values(), *_model_faults(recipe, tree, places)]
    return (None if found else recipe), found


def _leave_out(location: Location, tree: dict[str, Any]) -> None:
    """Take the key that `location` names, or the list that it points into, out of `tree`."""
    group = tree
    name, *deeper = map(str, location)
    while deeper and isinstance(group.get(name), dict):
        group = group[name]
        name, *deeper = deeper
    if name in group:
        del group[name]
    else:
        group[name] = ""  # a required key; its absence is reported, an empty text stands in


def _model_faults(recipe: Recipe, tree: dict[str, Any], places: Places) -> list[Fault]:
    """Return what contradicts the facts of the zoo."""
    if not isinstance(tree.get("model"), str):
        return []  # absent or no text, which is reported already
    try:
        spec = zoo.find_spec(recipe.model)
    except RecipeError as error:
        place = _place(("model",), places)
        return [
            Fault("model", f"is {recipe.model!r}, which segtune does not know", place, error.remedy)
        ]
    sizes = ("augment", "sizes")
    sides: dict[Location, Sequence[int]] = {
        ("image_size",): recipe.image_size or (),
        sizes: recipe.augment.sizes,
    }
    faults = [
        _size_fault(location, given, spec, places)
        for location, given in sides.items()
        if any(side % spec.size_divisor for side in given)
    ]
    long_side = max(recipe.image_size or spec.preprocess.size_hw)
    if spec.preprocess.keep_ratio and max(recipe.augment.sizes, default=0) > long_side:
        problem = f"has short sides beyond {long_side}, the limit of the long side"
        remedy = "give smaller sides, or raise the larger number of image_size"
        faults.append(Fault(dotted(sizes), problem, _place(sizes, places), remedy))
    return faults


def _size_fault(
    location: Location, sides: Sequence[int], spec: zoo.ModelSpec, places: Places
) -> Fault:
    """Return what is wrong with sides that the strides of a model do not divide."""
    divisor = spec.size_divisor
    nearest = [max(divisor, round(side / divisor) * divisor) for side in sides]
    return Fault(
        dotted(location),
        f"should be multiples of {divisor} for {spec.name}, not {list(sides)}",
        _place(location, places),
        f"the nearest is {nearest}",
    )


def _place(location: Location, places: Places) -> Place:
    """Return where `location` stands, or the closest group around it that stands anywhere."""
    for length in range(len(location), 0, -1):
        if location[:length] in places:
            return places[location[:length]]
    return 1
