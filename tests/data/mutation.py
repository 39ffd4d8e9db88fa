"""Random damage to annotation files: to values, references, keys, text and bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

DEEP = 100_000  # levels of lists
_MAX_BYTES = 4_000_000

_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.0,
    1.5,
    -0.0,
    1e-320,
    10**9,
    2**31,
    2**63,
    -(2**63) - 1,
    -(10**25),
    10**400,
    -(10**400),
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "1",
    "01",
    "1.0",
    "NaN",
    " ",
    "\ud83d",
    "\udc00\ud800",
    "\u202e\u0000",
    "Äpfel",
    "a\0b",
    "../" * 3,
    "/etc/passwd",
    "C:\\a.png",
    "sub\\b.png",
    "x" * 100_000,
    "oooo" * 20,
    [],
    {},
    [[]],
    [[], []],
    [{}],
    [[[1, 2]]],
    [1, 2],
    [1, 2, 3, 4],
    [1, 2, 3, 4, 5, 6],
    ["1", "2", "3", "4"],
    [True, 0, 5, 5],
    [[1, 1, 5, 1, 5, 5]],
    [[1, 1, 5, 5, 9, 9]],
    [[1, 1, 2, 2]],
    [[0.5] * 7],
    [[1e308, -1e308] * 4],
    [[-5, -5, 900, -5, 900, 900]],
    [1] * 100_000,
    [[1, 2, 3, 4, 5, 6]] * 5_000,
    {"size": [10, 20], "counts": "o" * 50},
    {"size": [10, 20], "counts": "0" * 200},
    {"size": [10**9, 10**9], "counts": [10**18]},
    {"size": [48, 64], "counts": [3072]},
    {"size": [48, 64], "counts": [0, 3072]},
    {"size": [48, 64], "counts": [0, 0, 0, 3072]},
    {"size": [48, 64], "counts": [1.0, 3071]},
    {"size": [48, 64], "counts": "PP"},
    {"size": [48.0, 64.0], "counts": [0, 3072]},
    {"counts": [200]},
)
# Text that json.dumps does not write, put where a value stands.
_LITERALS: tuple[bytes, ...] = (
    b"1e400",
    b"-1E+400",
    b"-0",
    b"1E2",
    b"0.1e1",
    b"01",
    b"+1",
    b".5",
    b"0x10",
    b"undefined",
    b"'a'",
    b"nan",
    b"9" * 4300,
    b"9" * 5000,
    b"[" * 900 + b"]" * 900,
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'"\\ud800"',
    b'"\\uZZZZ"',
    b'"\xff\xfe"',
    b'"\xc3"',
    b'"a\nb"',
    b"/* none */ 1",
    b"[1,]",
)
_PLACEHOLDER = "@literal@"
_REFERENCES = ("id", "image_id", "category_id")


def mutate(document: Any, seed: int) -> bytes:
    """Return a document as JSON text after up to five random changes to its tree, text or bytes."""
    generator = random.Random(seed)
    damaged = copy.deepcopy(document)
    for _ in range(generator.randint(1, 2)):
        generator.choice(_DAMAGES)(damaged, generator)
    literal = generator.choice(_LITERALS) if generator.random() < 0.1 else None
    if literal is not None:
        _replace(damaged, generator, _PLACEHOLDER)
    text = json.dumps(damaged, ensure_ascii=generator.random() < 0.5)
    if generator.random() < 0.1:
        text = _repeat_key(text, generator)
    content = text.encode("utf-8", "surrogatepass")
    if literal is not None:
        content = content.replace(f'"{_PLACEHOLDER}"'.encode(), literal, 1)
    content = content[:_MAX_BYTES]
    return _damage_bytes(content, generator) if generator.random() < 0.2 else content


def _damage_value(document: Any, generator: random.Random) -> None:
    """Replace, remove or repeat one entry at a random depth."""
    place = _choose(document, generator)
    if place is None:
        return
    container, key = place
    action = generator.choice(("replace", "replace", "remove", "repeat", "rename", "retype"))
    if action == "remove":
        del container[key]
    elif action == "repeat" and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif action == "rename" and isinstance(container, dict):
        container[generator.choice(("", "ID", "\ud800", "images", "is_crowd"))] = container.pop(key)
    elif action == "retype":
        container[key] = _retyped(container[key], generator)
    else:
        container[key] = copy.deepcopy(generator.choice(_VALUES))


def _nudge_numbers(document: Any, generator: random.Random) -> None:
    """Change up to five numbers a little or a lot; they stay numbers."""
    for _ in range(generator.randint(1, 5)):
        place = _choose(document, generator, (int, float))
        if place is not None:
            container, key = place
            number = container[key]
            container[key] = generator.choice(
                (
                    number + 1,
                    number - 1,
                    number + 0.5,
                    number * 2,
                    number / 3,
                    -number,
                    0,
                    63,
                    64,
                    48,
                )
            )


def _replace(document: Any, generator: random.Random, value: Any) -> None:
    place = _choose(document, generator)
    if place is not None:
        place[0][place[1]] = value


def _retyped(value: Any, generator: random.Random) -> Any:
    """Return nearly the same value as another type."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return {str(index): part for index, part in enumerate(value)}
    return generator.choice((str(value), [value], {"value": value}, repr(value)))


def _damage_references(document: Any, generator: random.Random) -> None:
    """Shuffle a list, repeat entries of it, or point one id or reference somewhere else."""
    lists = [part for part in document.values() if isinstance(part, list) and part]
    if not lists:
        return
    entries = generator.choice(lists)
    action = generator.choice(("shuffle", "repeat", "point", "point", "exchange"))
    objects = [entry for entry in entries if isinstance(entry, dict)]
    if action == "shuffle":
        generator.shuffle(entries)
    elif action == "repeat":
        entries += copy.deepcopy(entries) * generator.choice((1, 1, 20))
    elif objects:
        entry = generator.choice(objects)
        keys = [key for key in _REFERENCES if key in entry]
        if action == "point" and keys:
            entry[generator.choice(keys)] = generator.choice((0, 1, 2, 3, 77, -1, 2**40))
        elif action == "exchange":
            other = generator.choice(objects)
            key = generator.choice(list(entry) or [""])
            entry[key], other[key] = other.get(key), entry.get(key)


def _choose(
    document: Any, generator: random.Random, kinds: tuple[type, ...] = (object,)
) -> tuple[Any, Any] | None:
    places = [
        (container, key)
        for container in _containers(document)
        for key in (container if isinstance(container, dict) else range(min(len(container), 50)))
        if isinstance(container[key], kinds)
    ]
    return generator.choice(places) if places else None


def _containers(node: Any) -> list[Any]:
    if not isinstance(node, dict | list):
        return []
    children = node.values() if isinstance(node, dict) else node[:50]
    return [node, *(found for child in children for found in _containers(child))]


def _repeat_key(text: str, generator: random.Random) -> str:
    """Write a key of the document a second time, with another value before the first."""
    key = generator.choice(("images", "annotations", "id", "bbox", "segmentation", "file_name"))
    value = generator.choice(("null", "1", "[]", '"a.png"', "NaN"))
    return text.replace(f'"{key}":', f'"{key}": {value}, "{key}":', generator.choice((1, -1)))


_DAMAGES: tuple[Callable[[Any, random.Random], None], ...] = (
    _damage_value,
    _damage_value,
    _damage_value,
    _nudge_numbers,
    _nudge_numbers,
    _nudge_numbers,
    _damage_references,
)


def _damage_bytes(content: bytes, generator: random.Random) -> bytes:
    return generator.choice(_BYTE_DAMAGES)(content, generator)


def _cut(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content))]


def _behead(content: bytes, generator: random.Random) -> bytes:
    return content[generator.randrange(len(content)) :]


def _flip_bits(content: bytes, generator: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(generator.randint(1, 4)):
        flipped[generator.randrange(len(flipped))] ^= 1 << generator.randrange(8)
    return bytes(flipped)


def _overwrite(content: bytes, generator: random.Random) -> bytes:
    position = generator.randrange(len(content))
    value = generator.choice((b"\0", b"\n", b"\xff", b"\xef\xbb\xbf", b"[" * 5000, b"}", b'"'))
    return content[:position] + value + content[position + generator.randrange(2) :]


def _exchange_parts(content: bytes, generator: random.Random) -> bytes:
    first, second = sorted(generator.randrange(len(content)) for _ in range(2))
    return content[second:] + content[first:second] + content[:first]


def _encode_anew(content: bytes, generator: random.Random) -> bytes:
    text = content.decode("utf-8", "replace").replace("date", "Dätte")
    encoding = generator.choice(
        ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-8-sig", "utf-7")
    )
    return text.encode(encoding, "replace")


def _append(content: bytes, generator: random.Random) -> bytes:
    return content + generator.choice((b"\0\0", b"{}", b"]", b"\n\n", content, b"\xef\xbb\xbf"))


_BYTE_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _cut,
    _behead,
    _flip_bits,
    _flip_bits,
    _overwrite,
    _exchange_parts,
    _encode_anew,
    _encode_anew,
    _append,
)
