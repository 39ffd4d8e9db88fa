"""Entries of a COCO document whose fields have the right types, ids and references."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segtune.data.annotation_file import UNREADABLE, read_value
from segtune.data.field_rules import read_integer
from segtune.data.findings import FindingLog, quote

Section = Literal["images", "annotations", "categories"]
_ENTRY: dict[Section, str] = {
    "images": "image",
    "annotations": "annotation",
    "categories": "category",
}
_LARGEST_SIDE = 65535  # H x W must fit the 32 bits of a COCO run length


@dataclass(slots=True)
class ImageEntry:
    """One entry of `images`, sound in itself."""

    pointer: str
    image_id: int
    file_name: str
    """As in the file."""
    path: Path
    height: int
    width: int


def read_categories(document: dict[str, Any], log: FindingLog) -> dict[int, str] | None:
    """Return names by category id; None when the file has no such list."""
    entries = read_list(document, "categories", log)
    if entries is None:
        return None
    categories: dict[int, str] = {}
    names: set[str] = set()
    for pointer, entry in _objects(entries, "categories", log):
        category_id = _read_own_id(entry, "category", pointer, categories, log)
        name = _read_name(entry, pointer, log)
        if category_id is not None:
            categories[category_id] = name or ""
        if name in names:
            log.add("category-name-duplicate", f"{pointer}.name", quote(name))
        if name is not None:
            names.add(name)
    return categories


def read_images(
    document: dict[str, Any], images_root: Path, log: FindingLog
) -> dict[int, ImageEntry | None] | None:
    """Return images by id, those with faults as None; None when the file has no such list."""
    entries = read_list(document, "images", log)
    if entries is None:
        return None
    images: dict[int, ImageEntry | None] = {}
    for pointer, entry in _objects(entries, "images", log):
        image_id = _read_own_id(entry, "image", pointer, images, log)
        file_name = _read_file_name(entry, pointer, log)
        height = _read_side(entry, "height", pointer, log)
        width = _read_side(entry, "width", pointer, log)
        if image_id is None:
            continue
        images[image_id] = None
        if file_name is not None and height is not None and width is not None:
            path = images_root / file_name
            images[image_id] = ImageEntry(pointer, image_id, file_name, path, height, width)
    return images


def read_list(document: dict[str, Any], section: Section, log: FindingLog) -> list[Any] | None:
    """Return the entries of a list; None after noting that the file has no such list."""
    entries = document.get(section)
    if isinstance(entries, list):
        if not entries:
            log.add(f"{section}-none", section)
        return entries
    if section not in document:
        log.add(f"{section}-missing-key")
    else:
        log.add(f"{section}-not-list", section, f"found {quote(entries)}")
    return None


def _objects(
    entries: list[Any], section: Section, log: FindingLog
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pointer of every entry that is an object, with the entry."""
    for index, entry in enumerate(entries):
        pointer = f"{section}[{index}]"
        value = read_value(entry, pointer, log.add)
        if isinstance(value, dict):
            yield pointer, value
        elif value is not UNREADABLE:
            log.add(f"{_ENTRY[section]}-not-object", pointer, f"found {quote(value)}")


def _read_own_id(
    entry: dict[str, Any], kind: str, pointer: str, taken: Mapping[int, object], log: FindingLog
) -> int | None:
    """Return the id of an entry; None when it is faulty or taken by an earlier entry."""
    own_id = read_integer(entry, "id", f"{kind}-id", pointer, log.add)
    if own_id is not None and own_id in taken:
        log.add(f"{kind}-id-duplicate", f"{pointer}.id", quote(own_id))
        return None
    return own_id


def _read_name(entry: dict[str, Any], pointer: str, log: FindingLog) -> str | None:
    name = entry.get("name")
    if isinstance(name, str) and name.strip() and is_unicode(name):
        return name
    if name is None:
        log.add("category-name-missing", f"{pointer}.name")
    else:
        log.add("category-name-type", f"{pointer}.name", quote(name))
    return None


def _read_file_name(entry: dict[str, Any], pointer: str, log: FindingLog) -> str | None:
    name = entry.get("file_name")
    if isinstance(name, str) and name and "\0" not in name and is_unicode(name):
        code = _path_fault(name)
        if code is None:
            return name
    else:
        code = "image-name-missing" if name is None else "image-name-type"
    log.add(code, f"{pointer}.file_name", "" if name is None else quote(name))
    return None


def _path_fault(name: str) -> str | None:
    has_drive = name[1:2] == ":" or name.startswith("\\\\")
    if has_drive or name.startswith("/"):
        return "image-path-absolute"
    if ".." in name and Path(os.path.normpath(name)).parts[0] == "..":
        return "image-path-outside"
    return None


def is_unicode(text: str) -> bool:
    """Return whether text can be written as UTF-8: JSON can hold halves of surrogate pairs."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_side(entry: dict[str, Any], key: str, pointer: str, log: FindingLog) -> int | None:
    value = entry.get(key)
    if type(value) is int and 1 <= value <= _LARGEST_SIDE:
        return value
    if value is None:
        log.add("image-size-missing", f"{pointer}.{key}")
    else:
        log.add("image-size-type", f"{pointer}.{key}", quote(value))
    return None
