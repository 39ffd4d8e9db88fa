"""Folders of other tools, drawn, and their masks by means that segtune does not use."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

Bitmap = NDArray[np.bool_]
SIZE = (60, 80)  # height, width


def draw_picture(path: Path, size_hw: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """Write a picture of noise, which no other seed gives, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    return path


def write_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rectangle_bitmap(
    left: int, top: int, right: int, bottom: int, size_hw: tuple[int, int] = SIZE
) -> Bitmap:
    """Return a bitmap of whole pixels, right and bottom exclusive."""
    bitmap = np.zeros(size_hw, np.bool_)
    bitmap[top:bottom, left:right] = True
    return bitmap


def corners(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def ring(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [value for point in corners(left, top, right, bottom) for value in point]


def shape(
    label: str, points: Sequence[Sequence[float]], kind: str = "polygon", **more: Any
) -> dict[str, Any]:
    """Return a LabelMe shape."""
    return {"label": label, "points": points, "shape_type": kind, "group_id": None} | more


def mask_shape(label: str, left: int, top: int, bitmap: Bitmap, **more: Any) -> dict[str, Any]:
    """Return a LabelMe shape of type mask, whose second corner is the last pixel inside."""
    height, width = bitmap.shape
    content = io.BytesIO()
    Image.fromarray(bitmap).save(content, "PNG")
    text = base64.b64encode(content.getvalue()).decode()
    points = [[left, top], [left + width - 1, top + height - 1]]
    return shape(label, points, "mask", mask=text, **more)


def labelme_document(
    shapes: Sequence[dict[str, Any]],
    image_path: str = "a.png",
    size_hw: tuple[int, int] = SIZE,
    **more: Any,
) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size_hw[0],
        "imageWidth": size_hw[1],
    } | more


def labelme_folder(
    folder: Path, shapes: Sequence[dict[str, Any]], name: str = "a", seed: int = 0
) -> Path:
    """Write one picture with its LabelMe file into a folder and return the folder."""
    draw_picture(folder / f"{name}.png", seed=seed)
    write_json(folder / f"{name}.json", labelme_document(shapes, f"{name}.png"))
    return folder


def labelme_masks(folder: Path) -> list[tuple[str, str, Bitmap]]:
    """Return picture, label and bitmap of every instance in LabelMe files without holes.

    Shapes of one label and group are united. Polygons are filled by pycocotools.
    """
    found: dict[tuple[str, str, str], Bitmap] = {}
    for path in sorted(folder.rglob("*.json")):
        document = read_json(path)
        size_hw = document["imageHeight"], document["imageWidth"]
        for number, one in enumerate(document["shapes"]):
            group = one["group_id"]
            key = (path.stem, one["label"], f"alone {number}" if group is None else str(group))
            bitmap = _bitmap_of_shape(one, size_hw)
            found[key] = found.get(key, np.zeros(size_hw, np.bool_)) | bitmap
    return [(picture, label, bitmap) for (picture, label, _), bitmap in found.items()]


def _bitmap_of_shape(one: dict[str, Any], size_hw: tuple[int, int]) -> Bitmap:
    points = np.asarray(one["points"], np.float64)
    if one["shape_type"] == "polygon":
        return polygon_bitmap(points.ravel().tolist(), size_hw)
    if one["shape_type"] == "rectangle":
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return polygon_bitmap(ring(left, top, right, bottom), size_hw)
    if one["shape_type"] == "circle":
        rows, columns = np.indices(size_hw) + 0.5
        (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
        return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)
    assert one["shape_type"] == "mask"
    bitmap = np.zeros(size_hw, np.bool_)
    left, top, right, bottom = points.astype(int).ravel()
    with Image.open(io.BytesIO(base64.b64decode(one["mask"]))) as small:
        bitmap[top : bottom + 1, left : right + 1] = np.asarray(small)
    return bitmap


def polygon_bitmap(flat: list[float], size_hw: tuple[int, int] = SIZE) -> Bitmap:
    rle = coco_mask.frPyObjects([flat], *size_hw)[0]
    return np.asarray(coco_mask.decode(rle), np.bool_)


def coco_masks(file: Path) -> list[tuple[str, str, Bitmap]]:
    """Return picture, class name and bitmap of every annotation of a COCO file."""
    document = read_json(file)
    images = {image["id"]: image for image in document["images"]}
    names = {category["id"]: category["name"] for category in document["categories"]}
    found = []
    for annotation in document["annotations"]:
        image = images[annotation["image_id"]]
        size_hw = (image["height"], image["width"])
        segmentation = annotation["segmentation"]
        if isinstance(segmentation, dict):
            if isinstance(segmentation["counts"], list):
                segmentation = coco_mask.frPyObjects(segmentation, *size_hw)
            bitmap = np.asarray(coco_mask.decode(segmentation), np.bool_)
        else:
            bitmap = np.zeros(size_hw, np.bool_)
            for flat in segmentation:
                bitmap |= polygon_bitmap(flat, size_hw)
        name = Path(image["file_name"]).stem
        found.append((name, names[annotation["category_id"]], bitmap))
    return found


def iou(one: Bitmap, other: Bitmap) -> float:
    return float((one & other).sum() / (one | other).sum())
