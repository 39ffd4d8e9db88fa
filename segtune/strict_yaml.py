"""YAML without surprises: scalars of YAML 1.2, no repeated key, and the line of every key.

YAML 1.1, which PyYAML reads, takes `1e-4` for text, `no` for false, `1:30` for 90 and `010` for 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

# Keys of mappings and positions in lists, from the root to a value.
Location = tuple[str | int, ...]

_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would take for something else."""


for _tag, _pattern, _first in _SCALARS:
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first
        )


class YamlError(Exception):
    """Text that is not YAML: what is wrong, and on which line if that is known."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem, line)
        self.problem = problem
        self.line = line


@dataclass
class Document:
    """What a YAML text says, where it says it, and what a strict reader refuses."""

    value: Any = None
    lines: dict[Location, int] = field(default_factory=dict)  # from 1, of each key or list item
    faults: list[tuple[Location, int, str]] = field(default_factory=list)


def read(text: str) -> Document:
    """Return the one document of a YAML text. Raises YamlError."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            document = Document()
            if root is not None:
                document.value = _Builder(loader, document).build(root, ())
            return document
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(problem, mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0], None) from error


def dump(value: Any) -> str:
    """Return YAML text that `read` turns into `value` again; keys keep their order."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text


class _Builder:
    """Turns nodes into values and writes down lines and faults on the way."""

    def __init__(self, loader: _Loader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.seen: set[int] = set()

    def build(self, node: yaml.Node, at: Location) -> Any:
        if id(node) in self.seen:  # also what keeps a node that holds itself from looping
            self._fault(at, node, "is an alias (*name); write the value itself")
            return None
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.document.lines[(*at, index)] = item.start_mark.line + 1
                items.append(self.build(item, (*at, index)))
            return items
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(at, key_node, "has a key that is not a word")
                continue
            key = str(key_node.value)
            if key in mapping:
                first = self.document.lines[(*at, key)]
                self._fault((*at, key), key_node, f"stands here a second time, after line {first}")
                continue
            self.document.lines[(*at, key)] = key_node.start_mark.line + 1
            mapping[key] = self.build(value_node, (*at, key))
        return mapping

    def _fault(self, at: Location, node: yaml.Node, problem: str) -> None:
        self.document.faults.append((at, node.start_mark.line + 1, problem))
