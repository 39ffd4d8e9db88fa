"""A SHA-256 of everything annotated, whatever the order of lists in the file was.

Shapes: n instances of one chunk, k rings.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.data.instance_table import InstanceTable

_CHUNK = 1024  # images

# An instance and how many rings or counts follow; `kind` tells rings (p) from counts as text (c)
# and counts as numbers (u).
_HEAD = np.dtype(
    [
        ("annotation_id", "<i8"),
        ("label", "<i8"),
        ("is_crowd", "?"),
        ("box", "<f8", 4),
        ("area", "<f8"),
        ("kind", "S1"),
        ("number", "<i8"),
    ]
)


class Image(Protocol):
    """What is told of an image."""

    @property
    def image_id(self) -> int:
        """Id in the file."""
        ...

    @property
    def path(self) -> Path:
        """Of the image file."""
        ...

    @property
    def height(self) -> int:
        """In pixels."""
        ...

    @property
    def width(self) -> int:
        """In pixels."""
        ...


def fingerprint(categories: Categories, images: Sequence[Image], table: InstanceTable) -> str:
    """Return the digest of categories, file names, sizes and instances.

    Neither the pixels of the images count nor the folder that holds them all.
    """
    digest = hashlib.sha256(json.dumps(categories.to_json()).encode())
    names = _names(images)
    starts = table.image_starts.tolist()
    for first in range(0, len(images), _CHUNK):
        own_images = images[first : first + _CHUNK]
        own_starts = starts[first : first + len(own_images) + 1]
        instances = _instance_bytes(table, own_starts[0], own_starts[-1])
        parts = []
        for image, name, (start, stop) in zip(
            own_images, names[first:], pairwise(own_starts), strict=False
        ):
            head = [image.image_id, name, image.height, image.width, stop - start]
            parts.append(json.dumps(head).encode())
            parts += instances[start - own_starts[0] : stop - own_starts[0]]
        digest.update(b"".join(parts))
    return digest.hexdigest()


def _names(images: Sequence[Image]) -> list[str]:
    """Return the paths of images from the innermost folder that all of them are in."""
    if not images:
        return []
    here = str(Path.cwd())
    paths = [os.path.join(here, image.path) for image in images]  # noqa: PTH118 - as text, see below
    # pathlib would take ten times as long for this as hashing takes for all the rest.
    folder = os.path.commonpath({os.path.dirname(path) for path in paths})  # noqa: PTH120
    skipped = len(folder) if folder.endswith(os.sep) else len(folder) + 1
    return [path[skipped:].replace(os.sep, "/") for path in paths]


def _instance_bytes(table: InstanceTable, start: int, stop: int) -> list[bytes]:
    """Return all of each instance in a form that no other instance has."""
    heads, bodies = _heads(table, start, stop), _ring_bytes(table, start, stop)
    for row, rle in table.rles_between(start, stop):
        bodies[row - start] = _count_bytes(rle["counts"])
    size = _HEAD.itemsize
    return [
        heads[place : place + size] + body
        for place, body in zip(range(0, len(heads), size), bodies, strict=True)
    ]


def _ring_bytes(table: InstanceTable, start: int, stop: int) -> list[bytes]:
    """Return the rings of each instance, every one as the number of its coordinates and these."""
    first_rings = table.first_rings[start : stop + 1]
    starts = table.ring_starts[first_rings[0] : first_rings[-1] + 1]  # (k + 1,)
    numbers = table.points[starts[0] : starts[-1]].ravel()
    length_places = 2 * (starts - starts[0]) + np.arange(len(starts))  # (k + 1,)
    mixed: NDArray[np.float64] = np.empty(len(numbers) + len(starts) - 1, "<f8")
    is_number = np.ones(len(mixed), bool)
    is_number[length_places[:-1]] = False
    mixed[is_number] = numbers
    mixed.view("<i8")[length_places[:-1]] = 2 * np.diff(starts)
    content = mixed.tobytes()
    bounds = (length_places[first_rings - first_rings[0]] * mixed.itemsize).tolist()
    return [content[begin:end] for begin, end in pairwise(bounds)]


def _count_bytes(counts: str | NDArray[np.int64] | list[int]) -> bytes:
    if isinstance(counts, str):
        return counts.encode("ascii")
    return np.asarray(counts, "<i8").tobytes()


def _heads(table: InstanceTable, start: int, stop: int) -> bytes:
    heads = np.zeros(stop - start, _HEAD)
    rows = slice(start, stop)
    heads["annotation_id"] = table.annotation_ids[rows]
    heads["label"] = table.labels[rows]
    heads["is_crowd"] = table.is_crowd[rows]
    heads["box"] = table.boxes[rows]
    heads["area"] = table.areas[rows]
    heads["kind"] = b"p"
    heads["number"] = np.diff(table.first_rings[start : stop + 1])
    for row, rle in table.rles_between(start, stop):
        heads[row - start]["kind"] = b"c" if isinstance(rle["counts"], str) else b"u"
        heads[row - start]["number"] = len(rle["counts"])
    return heads.tobytes()
