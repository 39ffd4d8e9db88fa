"""Annotation files read for drawing: whatever can be shown of them, however broken they are."""

from __future__ import annotations

import math
import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.data.annotation_file import read_document
from segtune.data.findings import FindingLog

_FARTHEST_PX = 1e6  # coordinates beyond are moved here: OpenCV draws with 32 bits
_MOST_PIXELS = 10**8  # of a bitmap that is made to be drawn


@dataclass(frozen=True, eq=False)
class Shape:
    """What can be drawn of one annotation, in pixels of its image.

    Shapes: P points, h x w bitmap.
    """

    rings: tuple[NDArray[np.float64], ...]  # (P, 2) each, at least one point
    bitmap: NDArray[np.bool_] | None  # (h, w), its origin on that of the image
    box: NDArray[np.float64] | None  # (4,) xyxy, perhaps inside out
    lacks: tuple[str, ...]
    """What of the annotation cannot be drawn, and why."""

    @property
    def extent(self) -> NDArray[np.float64] | None:
        """The box (4,) around everything that can be drawn; None when there is nothing."""
        corners = [*self.rings]
        if self.box is not None:
            corners.append(self.box.reshape(2, 2))
        if self.bitmap is not None and self.bitmap.any():
            ys = np.flatnonzero(self.bitmap.any(axis=1))
            xs = np.flatnonzero(self.bitmap.any(axis=0))
            corners.append(np.array([[xs[0], ys[0]], [xs[-1] + 1, ys[-1] + 1]], np.float64))
        if not corners:
            return None
        points = np.concatenate(corners)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])


@dataclass(frozen=True)
class LooseImage:
    """One entry of `images`."""

    index: int
    file_name: str
    path: Path | None
    fault: str
    """Why there is no path; else empty."""
    stated_hw: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class LooseAnnotation:
    """One entry of `annotations`."""

    index: int
    class_name: str | None
    image: LooseImage | None
    is_crowd: bool
    entry: dict[str, Any]

    @property
    def shape(self) -> Shape:
        """What can be drawn of it."""
        return read_shape(self.entry)


class LooseSplit:
    """One annotation file; an unreadable one has no images and no annotations."""

    def __init__(self, annotation_file: Path, images_root: Path) -> None:
        document = read_document(FindingLog(annotation_file)) or {}
        self.images_root = images_root
        self._images = _list_of(document, "images")
        self._annotations = _list_of(document, "annotations")
        self._categories = _list_of(document, "categories")

    @property
    def num_images(self) -> int:
        """Entries of `images`, sound or not."""
        return len(self._images)

    @property
    def num_annotations(self) -> int:
        """Entries of `annotations`, sound or not."""
        return len(self._annotations)

    @cached_property
    def class_names(self) -> dict[str, str]:
        """Class names by the text of their category id."""
        named = {}
        for entry in self._categories:
            key = _key(entry.get("id")) if isinstance(entry, dict) else None
            if key is not None and isinstance(entry.get("name"), str):
                named.setdefault(key, _printable(entry["name"]))
        return named

    @cached_property
    def annotations_of(self) -> dict[int, list[int]]:
        """Indices of annotations by the index of their image."""
        found: dict[int, list[int]] = {}
        for index, entry in enumerate(self._annotations):
            image = self._image_index(entry)
            if image is not None:
                found.setdefault(image, []).append(index)
        return found

    def image(self, index: int) -> LooseImage | None:
        """Return an entry of `images`; None when there is no such object."""
        entry = self._images[index] if index < len(self._images) else None
        if not isinstance(entry, dict):
            return None
        name = entry.get("file_name")
        size = (entry.get("height"), entry.get("width"))
        stated = size if all(type(side) is int and 0 < side < 2**16 for side in size) else None
        path, fault = self._path(name)
        shown = _printable(name) if isinstance(name, str) else ""
        return LooseImage(index, shown, path, fault, stated)  # type: ignore[arg-type]

    def annotation(self, index: int) -> LooseAnnotation | None:
        """Return an entry of `annotations`; None when there is no such object."""
        entry = self._annotations[index] if index < len(self._annotations) else None
        if not isinstance(entry, dict):
            return None
        key = _key(entry.get("category_id"))
        image = self._image_index(entry)
        return LooseAnnotation(
            index=index,
            class_name=None if key is None else self.class_names.get(key),
            image=None if image is None else self.image(image),
            is_crowd=entry.get("iscrowd") == 1,
            entry=entry,
        )

    @cached_property
    def _index_of_image(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for index, entry in enumerate(self._images):
            key = _key(entry.get("id")) if isinstance(entry, dict) else None
            if key is not None:
                found.setdefault(key, index)
        return found

    def _image_index(self, annotation: Any) -> int | None:
        key = _key(annotation.get("image_id")) if isinstance(annotation, dict) else None
        return None if key is None else self._index_of_image.get(key)

    def _path(self, name: object) -> tuple[Path | None, str]:
        """Return where an image lies, or why it is not looked for."""
        if not isinstance(name, str) or not name or "\0" in name:
            return None, "the image has no file_name to find it by"
        root = os.path.normpath(self.images_root)
        path = Path(os.path.normpath(self.images_root / name))
        if not path.is_relative_to(root):  # a page that is sent around shows nothing from there
            return None, "its file_name leads out of the image folder"
        return path, ""


def read_shape(entry: dict[str, Any]) -> Shape:
    """Return what can be drawn of an annotation."""
    lacks: list[str] = []
    rings, bitmap = _read_mask(entry.get("segmentation"), lacks)
    box = _read_box(entry.get("bbox"), lacks)
    return Shape(rings, bitmap, box, tuple(lacks))


def _read_mask(
    segmentation: object, lacks: list[str]
) -> tuple[tuple[NDArray[np.float64], ...], NDArray[np.bool_] | None]:
    if segmentation is None:
        lacks.append("it has no mask")
    elif isinstance(segmentation, dict):
        bitmap = _bitmap(segmentation.get("size"), segmentation.get("counts"))
        if bitmap is None:
            lacks.append("its RLE cannot be read")
        elif not bitmap.any():
            lacks.append("its mask is empty")
        return (), bitmap
    elif isinstance(segmentation, list):
        is_flat = bool(segmentation) and all(map(_is_number, segmentation))
        candidates = [segmentation] if is_flat else segmentation
        points = [_points(ring) for ring in candidates]
        rings = tuple(ring for ring in points if ring is not None)
        if not candidates:
            lacks.append("its mask is empty")
        elif len(rings) < len(candidates):
            some = "its polygon" if len(candidates) == 1 else "a polygon of its mask"
            lacks.append(f"{some} has no points to draw")
        return rings, None
    else:
        lacks.append("its mask cannot be read")
    return (), None


def _points(ring: object) -> NDArray[np.float64] | None:
    """Return the finite points (P, 2) of a ring, None when there are none."""
    if not isinstance(ring, list) or not all(map(_is_number, ring)):
        return None
    even = ring[: len(ring) // 2 * 2]
    points = np.array([_as_float(value) for value in even]).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    return points.clip(-_FARTHEST_PX, _FARTHEST_PX) if len(points) else None


def _read_box(bbox: object, lacks: list[str]) -> NDArray[np.float64] | None:
    """Return a box (4,) as xyxy; a missing one is no fault, since it follows from the mask."""
    if bbox is None:
        return None
    if isinstance(bbox, list) and len(bbox) == 4 and all(map(_is_number, bbox)):
        x, y, width, height = (_as_float(value) for value in bbox)
        box = np.array([x, y, x + width, y + height])
        if np.isfinite(box).all():
            return box.clip(-_FARTHEST_PX, _FARTHEST_PX)
    lacks.append("its box cannot be drawn")
    return None


def _bitmap(size: object, counts: object) -> NDArray[np.bool_] | None:
    """Return the bitmap (h, w) of an RLE; what its counts lack is background."""
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
        return None
    height, width = size
    if not (height > 0 and width > 0 and height * width <= _MOST_PIXELS):
        return None
    runs = _runs(counts)
    if runs is None:
        return None
    pixels = np.zeros(height * width, np.bool_)
    position = 0
    for number, run in enumerate(runs):
        if run < 0 or position >= len(pixels):
            break
        pixels[position : position + run] = number % 2 == 1
        position += run
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def _runs(counts: object) -> Sequence[int] | None:
    if isinstance(counts, list):
        return counts if all(type(run) is int for run in counts) else None
    if not isinstance(counts, str):
        return None
    try:
        runs: list[int] = masks.run_lengths(counts).tolist()
    except ValueError:
        return None
    return runs


def _list_of(document: dict[str, Any], section: str) -> list[Any]:
    entries = document.get(section)
    return entries if isinstance(entries, list) else []


def _key(value: object) -> str | None:
    """Return what an id is looked up by: quotes around a number do not keep it from being found."""
    is_id = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if is_id else None


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _printable(text: str) -> str:
    """Return text that UTF-8 can hold: JSON can hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")
