"""The table of recipe keys in docs/recipes.md, made from the schema."""

from __future__ import annotations

from typing import Any

from segtune.recipe_files import recipe_schema

_INTRODUCTION = """\
# Recipes

A recipe is a YAML file that says everything about a fine-tuning run. Only `model` has to be
there; every other key has a default. `segtune recipes list` names the shipped recipes,
`segtune recipes show NAME` prints one with all its defaults, and `segtune recipes validate FILE`
checks yours.

```yaml
# yaml-language-server: $schema=schema.json
model: PP-YOLOE_seg-S
data: {root: datasets/pens}
epochs: 40
optimizer: {lr: 1e-3}
```

`--set optimizer.lr=1e-4` changes one key for one run, as often as needed. Values are read as YAML
and checked like those of the file; nothing is evaluated. Text that looks like a number needs
quotes. `segtune recipes schema > schema.json` writes the JSON schema with which editors complete
and check recipes.

Unknown keys, wrong types and contradictions are errors, and all of them are reported at once with
their line and the nearest known key. Paths are relative to the folder in which the command runs.

This page is made from `segtune/recipe.py` by `scripts/write_references.py`.
"""


def reference() -> str:
    """Return docs/recipes.md: every key with its type, default and meaning, group by group."""
    schema = recipe_schema()
    definitions = schema["$defs"]
    groups = [("Recipe", "", schema)]
    groups += [
        (name, f"{name}.", definitions[prop["$ref"].rsplit("/", 1)[-1]])
        for name, prop in schema["properties"].items()
        if "$ref" in prop
    ]
    return _INTRODUCTION + "".join(_section(*group) for group in groups)


def _section(title: str, prefix: str, group: dict[str, Any]) -> str:
    rows = [
        f"| `{prefix}{name}` | {_type(prop)} | {_default(name, prop, group)} "
        f"| {prop.get('description', '')} |"
        for name, prop in group["properties"].items()
        if "$ref" not in prop
    ]
    heading = title if not prefix else f"`{title}`"
    lines = [
        "",
        f"## {heading}",
        "",
        group["description"],
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _type(prop: dict[str, Any]) -> str:
    if "anyOf" in prop:
        return " or ".join(_type(choice) for choice in prop["anyOf"])
    if "enum" in prop:
        return " or ".join(f"`{choice}`" for choice in prop["enum"])
    if prop["type"] == "array":
        items = prop["prefixItems"][0] if "prefixItems" in prop else prop["items"]
        count = f"{prop['maxItems']} " if "maxItems" in prop else ""
        return f"list of {count}({_type(items)})"
    if prop["type"] == "object":
        return f"names, each with a {_type(prop['additionalProperties'])}"
    names = {"integer": "whole number", "boolean": "true or false", "string": "text"}
    name = "path" if prop.get("format") == "path" else names.get(prop["type"], prop["type"])
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {prop[key]:g}" for key, sign in bounds.items() if key in prop)
    return f"{name} {limits}".rstrip()


def _default(name: str, prop: dict[str, Any], group: dict[str, Any]) -> str:
    if name in group.get("required", []):
        return "required"
    value = prop["default"]
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(f'{item:.4g}' for item in value)}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
