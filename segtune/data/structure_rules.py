"""Entries of a COCO document whose fields have the right types, ids and references."""

from __future__ import annotations

import math
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segtune.data.findings import FindingLog, quote

Section = Literal["images", "annotations", "categories"]
_ENTRY: dict[Section, str] = {
    "images": "image",
    "annotations": "annotation",
    "categories": "category",
}
_LARGEST_SIDE = 65535  # H x W must fit the 32 bits of a COCO run length
NUMBERS = frozenset((int, float))  # the exact types, as a bool is an int to isinstance
_IDS = range(-(2**63), 2**63)


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


@dataclass(slots=True)
class AnnotationEntry:
    """One entry of `annotations` on a sound image; a faulty id or category is None.

    `segmentation` and `bbox` are as in the file, not looked at yet.
    """

    pointer: str
    annotation_id: int | None
    category_id: int | None
    image: ImageEntry
    segmentation: Any
    bbox: Any
    area: float | None
    is_crowd: bool


def read_categories(document: dict[str, Any], log: FindingLog) -> dict[int, str] | None:
    """Return names by category id; None when the file has no such list."""
    entries = _read_list(document, "categories", log)
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
    entries = _read_list(document, "images", log)
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


def read_annotations(
    document: dict[str, Any],
    images: Mapping[int, ImageEntry | None] | None,
    categories: Mapping[int, str] | None,
    log: FindingLog,
) -> list[AnnotationEntry]:
    """Return the annotations that lie on sound images, in file order."""
    entries = _read_list(document, "annotations", log)
    ids: dict[int, None] = {}
    found = []
    for pointer, entry in _objects(entries or [], "annotations", log):
        annotation_id = _read_own_id(entry, "annotation", pointer, ids, log)
        if annotation_id is not None:
            ids[annotation_id] = None
        image_id = _read_integer(entry, "image_id", "annotation-image", pointer, log)
        category_id = _read_category_id(entry, categories, pointer, log)
        is_crowd = _read_is_crowd(entry, pointer, log)
        area = _read_area(entry, pointer, log)
        if images is None or image_id is None:
            continue
        if image_id not in images:
            log.add("image-unknown", f"{pointer}.image_id", quote(image_id))
            continue
        image = images[image_id]
        if image is not None:
            segmentation, bbox = entry.get("segmentation"), entry.get("bbox")
            found.append(
                AnnotationEntry(
                    pointer, annotation_id, category_id, image, segmentation, bbox, area, is_crowd
                )
            )
    return found


def as_float(value: float) -> float:
    """Return a JSON number as float; infinite where an integer has too many digits for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read_list(document: dict[str, Any], section: Section, log: FindingLog) -> list[Any] | None:
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
        if isinstance(entry, dict):
            yield pointer, entry
        else:
            log.add(f"{_ENTRY[section]}-not-object", pointer, f"found {quote(entry)}")


def _read_integer(
    entry: dict[str, Any], key: str, stem: str, pointer: str, log: FindingLog
) -> int | None:
    """Return a whole number; or None after noting the rule `stem`-missing or `stem`-type."""
    value = entry.get(key)
    if type(value) is int and value in _IDS:  # a bool is an int to isinstance
        return value
    if value is None:
        log.add(f"{stem}-missing", f"{pointer}.{key}")
    else:
        log.add(f"{stem}-type", f"{pointer}.{key}", quote(value))
    return None


def _read_own_id(
    entry: dict[str, Any], kind: str, pointer: str, taken: Mapping[int, object], log: FindingLog
) -> int | None:
    """Return the id of an entry; None when it is faulty or taken by an earlier entry."""
    own_id = _read_integer(entry, "id", f"{kind}-id", pointer, log)
    if own_id is not None and own_id in taken:
        log.add(f"{kind}-id-duplicate", f"{pointer}.id", quote(own_id))
        return None
    return own_id


def _read_category_id(
    entry: dict[str, Any], categories: Mapping[int, str] | None, pointer: str, log: FindingLog
) -> int | None:
    """Return a category id that is declared; None without noting it when there is no list."""
    category_id = _read_integer(entry, "category_id", "annotation-category", pointer, log)
    if category_id is None or categories is None:
        return None
    if category_id not in categories:
        log.add("category-unknown", f"{pointer}.category_id", quote(category_id))
        return None
    return category_id


def _read_name(entry: dict[str, Any], pointer: str, log: FindingLog) -> str | None:
    name = entry.get("name")
    if isinstance(name, str) and name.strip() and _is_unicode(name):
        return name
    if name is None:
        log.add("category-name-missing", f"{pointer}.name")
    else:
        log.add("category-name-type", f"{pointer}.name", quote(name))
    return None


def _read_file_name(entry: dict[str, Any], pointer: str, log: FindingLog) -> str | None:
    name = entry.get("file_name")
    if isinstance(name, str) and name and "\0" not in name and _is_unicode(name):
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


def _is_unicode(text: str) -> bool:
    """Whether text can be written as UTF-8: JSON can hold halves of surrogate pairs."""
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


def _read_is_crowd(entry: dict[str, Any], pointer: str, log: FindingLog) -> bool:
    value = entry.get("iscrowd")
    if value is None:
        log.add("iscrowd-missing", f"{pointer}.iscrowd")
    elif type(value) is not int or value not in (0, 1):
        log.add("iscrowd-type", f"{pointer}.iscrowd", quote(value))
    return value == 1


def _read_area(entry: dict[str, Any], pointer: str, log: FindingLog) -> float | None:
    """Return the stated area, or None where that of the mask has to do."""
    value = entry.get("area")
    if value is None:
        log.add("area-missing", f"{pointer}.area")
        return None
    area = as_float(value) if type(value) in NUMBERS else math.nan
    if not math.isfinite(area):
        log.add("area-type", f"{pointer}.area", quote(value))
        return None
    if area <= 0:
        log.add("area-not-positive", f"{pointer}.area", quote(value))
        return None
    return area
