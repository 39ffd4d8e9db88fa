"""Random damage to JSON documents."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    10**9,
    -(10**25),
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "1",
    "NaN",
    "\ud83d",
    "a\0b",
    "../" * 3,
    "oooo" * 20,
    [],
    {},
    [[]],
    [[[1, 2]]],
    [1, 2, 3, 4],
    {"size": [10, 20], "counts": "o" * 50},
    {"size": [10, 20], "counts": "0" * 200},
    {"counts": [200]},
)


def mutate(document: Any, seed: int) -> bytes:
    """Return a document as JSON text after one to four random changes to its tree or bytes."""
    generator = random.Random(seed)
    damaged = copy.deepcopy(document)
    for _ in range(generator.randint(1, 3)):
        _damage_tree(damaged, generator)
    content = json.dumps(damaged).encode()
    return _damage_bytes(content, generator) if generator.random() < 0.3 else content


def _damage_tree(document: Any, generator: random.Random) -> None:
    """Replace, remove or repeat one entry at a random depth."""
    places = [
        (container, key)
        for container in _containers(document)
        for key in (container if isinstance(container, dict) else range(len(container)))
    ]
    if not places:
        return
    container, key = generator.choice(places)
    action = generator.choice(("replace", "replace", "remove", "repeat"))
    if action == "remove":
        del container[key]
    elif action == "repeat" and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[key] = copy.deepcopy(generator.choice(_VALUES))


def _containers(node: Any) -> list[Any]:
    if not isinstance(node, dict | list):
        return []
    children = node.values() if isinstance(node, dict) else node
    return [node, *(found for child in children for found in _containers(child))]


def _damage_bytes(content: bytes, generator: random.Random) -> bytes:
    position = generator.randrange(len(content))
    return generator.choice(
        (
            content[:position],
            content[position:],
            content[:position] + bytes([generator.randrange(256)]) + content[position + 1 :],
            content[:position] + b"[" * 5000 + content[position:],
            content.decode().encode("utf-16"),
        )
    )
