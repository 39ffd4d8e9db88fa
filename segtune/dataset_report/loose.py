"""Annotation files read for drawing: whatever can be shown of them, however broken they are."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segtune.data.annotation_file import read_document, read_value
from segtune.data.findings import FindingLog
from segtune.dataset_report.shapes import Shape, read_shape

_LONGEST_SIDE = 65535


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
        self._known_images: dict[int, LooseImage | None] = {}  # an image has many annotations

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
        named: dict[str, str] = {}
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
        if index not in self._known_images:
            entry = self._images[index] if index < len(self._images) else None
            known = self._read_image(index, entry) if isinstance(entry, dict) else None
            self._known_images[index] = known
        return self._known_images[index]

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

    def _read_image(self, index: int, entry: dict[str, Any]) -> LooseImage:
        name = entry.get("file_name")
        path, fault = self._path(name)
        shown = _printable(name) if isinstance(name, str) else ""
        return LooseImage(index, shown, path, fault, _stated_hw(entry))

    def _path(self, name: object) -> tuple[Path | None, str]:
        """Return where an image lies, or why it is not looked for."""
        if not isinstance(name, str) or not name or "\0" in name:
            return None, "the image has no file_name to find it by"
        root = os.path.normpath(self.images_root)
        path = Path(os.path.normpath(self.images_root / name))
        if not path.is_relative_to(root):  # a page that is sent around shows nothing from there
            return None, "its file_name leads out of the image folder"
        return path, ""


def _list_of(document: dict[str, Any], section: str) -> list[Any]:
    entries = document.get(section)
    if not isinstance(entries, list):
        return []
    return [read_value(entry, section, _say_nothing) for entry in entries]


def _say_nothing(code: str, pointer: str = "", detail: str = "") -> None:
    """Take a fault that the check has noted already."""


def _stated_hw(entry: dict[str, Any]) -> tuple[int, int] | None:
    height, width = entry.get("height"), entry.get("width")
    if type(height) is int and type(width) is int and min(height, width) > 0:
        return (height, width) if max(height, width) <= _LONGEST_SIDE else None
    return None


def _key(value: object) -> str | None:
    """Return what an id is looked up by: quotes around a number do not keep it from being found."""
    is_id = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if is_id else None


def _printable(text: str) -> str:
    """Return text that UTF-8 can hold: JSON can hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")
