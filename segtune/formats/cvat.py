"""CVAT for images 1.1: one XML file with the shapes of all images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import (
    AnnotatedDataset,
    AnnotatedImage,
    AnnotatedInstance,
    split_of_word,
)
from segtune.formats.class_names import in_order, note_near_equal
from segtune.formats.pictures import size_or_loss
from segtune.formats.rings import Ring, ellipse, ring_fault
from segtune.formats.source_documents import read_xml
from segtune.formats.source_paths import clean_name, find_inside
from segtune.masks import Rle
from segtune.progress import Reporter

XML_NAME = "annotations.xml"
_WITHOUT_MASK = {
    "box": "box, which has no mask",
    "polyline": "polyline, which has no area",
    "points": "points, which have no area",
    "cuboid": "cuboid, which has no mask",
    "skeleton": "skeleton, which has no area",
    "tag": "tag of an image",
}
_OWN_SHAPES = ("polygon", "mask", "ellipse")


def find_xml(source: Path) -> list[Path]:
    """Return the XML files of an export: `annotations.xml`, or one a subset as Datumaro writes."""
    if source.is_file():
        return [source] if source.suffix.lower() == ".xml" else []
    path = source / XML_NAME
    return [path] if path.is_file() else sorted(source.glob("*.xml"))


def read_cvat(
    source: Path, account: Account, *, images: Path | None, reporter: Reporter
) -> AnnotatedDataset:
    """Return what an export of CVAT annotates.

    Polygons, masks and ellipses that have one label and one group are one instance.

    Args:
        source: The XML file or the folder it lies in.
        account: Told about every shape.
        images: Where the pictures lie; default: `images` beside the XML file, or beside it.
        reporter: Told about every image.

    Raises:
        DatasetError: The file is missing or not CVAT's.
    """
    roots = {file: _read_root(file) for file in find_xml(source)}
    if not roots:
        raise DatasetError(
            f"there is no {XML_NAME}",
            where=str(source),
            remedy="export as `CVAT for images 1.1`, unpack, and give the folder",
        )
    declared: list[str] = []
    found = []
    with reporter.task(
        "reading CVAT shapes", sum(len(root.findall("image")) for root in roots.values())
    ) as task:
        for file, root in roots.items():
            declared += [name.text or "" for name in root.findall("./meta//labels/label/name")]
            for track in root.findall("track"):
                account.lose("track of a video", f"{file}, track {track.get('id')}")
            for entry in root.findall("image"):
                image = _read_image(file, entry, images, account)
                found += [] if image is None else [image]
                task.advance()
    used = {instance.class_name for image in found for instance in image.instances}
    names = in_order(used, [name for name in declared if name])
    note_near_equal(names, account)
    return AnnotatedDataset(names, tuple(found))


def _read_root(file: Path) -> Element:
    root = read_xml(file)
    if root.tag != "annotations":
        raise DatasetError(
            f"{file.name} is not an export of CVAT",
            where=f"{file}, <{root.tag}>",
            remedy="export as `CVAT for images 1.1`",
        )
    return root


def _read_image(
    file: Path, entry: Element, images: Path | None, account: Account
) -> AnnotatedImage | None:
    name, subset = entry.get("name", ""), entry.get("subset", file.stem)
    place = f"{file}, {name}"
    beside = [file.parent / "images", file.parent / "images" / subset, file.parent]
    picture = find_inside(images or file.parent, name, [images] if images else beside)
    if picture is None:
        account.lose("image that is missing", place)
        return None
    size_hw = size_or_loss(picture, account)
    if size_hw is None:
        return None
    if (entry.get("height"), entry.get("width")) != (str(size_hw[0]), str(size_hw[1])):
        account.note("picture of another size than the XML file states", place)
    grouped: dict[tuple[str, str], list[Ring | Rle]] = {}
    for number, shape in enumerate(entry):
        part = _part(shape, size_hw)
        if isinstance(part, str):
            account.lose(part, f"{place}, {shape.tag} {number}")
            continue
        account.carry(shape.tag)
        group = shape.get("group_id") or "0"
        key = (shape.get("label", ""), f"alone {number}" if group == "0" else group)
        grouped.setdefault(key, []).append(part)
    instances = [
        AnnotatedInstance(label, _segmentation(parts, size_hw))
        for (label, _), parts in grouped.items()
    ]
    return AnnotatedImage(
        clean_name(name),
        picture,
        size_hw,
        tuple(instances),
        place,
        split_of_word(subset),
    )


def _part(shape: Element, size_hw: tuple[int, int]) -> Ring | Rle | str:
    """Return ring or RLE of a shape, or what keeps it from being carried over."""
    if shape.tag not in _OWN_SHAPES:
        return _WITHOUT_MASK.get(shape.tag, f"<{shape.tag}>, which is not known")
    if not shape.get("label"):
        return "shape without a label"
    try:
        if shape.tag == "mask":
            return _mask(shape, size_hw)
        if shape.tag == "ellipse":
            cx, cy, rx, ry = (float(shape.get(key, "nan")) for key in ("cx", "cy", "rx", "ry"))
            if not 0 < max(rx, ry) < 2 * max(size_hw):
                return "ellipse far larger than its image"
            ring = ellipse((cx, cy), (rx, ry), float(shape.get("rotation", "0")))
        else:
            pairs = [pair.split(",") for pair in shape.get("points", "").split(";")]
            if any(len(pair) != 2 for pair in pairs):
                return "polygon whose points cannot be read"
            ring = [float(value) for pair in pairs for value in pair]
    except (OverflowError, ValueError):
        return f"{shape.tag} whose numbers cannot be read"
    return ring_fault(ring, size_hw) or ring


def _mask(shape: Element, size_hw: tuple[int, int]) -> Rle | str:
    """Return a mask that CVAT keeps as run lengths of a box, row by row, background first."""
    left, top, width, height = (
        int(float(shape.get(key, "nan"))) for key in ("left", "top", "width", "height")
    )
    runs = [int(run) for run in shape.get("rle", "").split(",")]
    fits = left >= 0 and top >= 0 and top + height <= size_hw[0] and left + width <= size_hw[1]
    if not fits or min(runs) < 0 or sum(runs) != width * height:
        return "mask that does not fit its image"
    values = np.arange(len(runs)) % 2 == 1
    bitmap = np.zeros(size_hw, np.bool_)
    bitmap[top : top + height, left : left + width] = np.repeat(values, runs).reshape(height, width)
    return masks.encode(bitmap)


def _segmentation(parts: Sequence[Ring | Rle], size_hw: tuple[int, int]) -> masks.Segmentation:
    rings = [part for part in parts if isinstance(part, list)]
    if len(rings) == len(parts):
        return rings
    union = np.zeros(size_hw, np.bool_)
    for part in parts:
        union |= masks.rasterise([part] if isinstance(part, list) else dict(part), size_hw)
    return dict(masks.encode(union))
