"""LabelMe documents and their shapes, and instances as one, to correct them by hand.

Shapes: h x w window of a mask.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune import masks
from segtune.categories import Categories
from segtune.instances import Instances

VERSION = "5.5.0"  # of the LabelMe whose documents these are; has shapes of type mask


def document_of(
    instances: Instances, categories: Categories, image_path: str | None
) -> dict[str, Any]:
    """Return the LabelMe document of one image, as a dict of JSON types.

    An instance is a polygon; one of several parts is several polygons of one `group_id`; one with
    a hole, which polygons of LabelMe cannot have, is a `mask`.
    """
    shapes: list[dict[str, Any]] = []
    for group, (label, score, rle) in enumerate(
        zip(instances.labels, instances.scores, instances.rles, strict=True)
    ):
        rings, has_holes = masks.to_rings(rle)
        common: dict[str, Any] = {
            "label": categories[int(label)].name,
            "group_id": group if len(rings) > 1 and not has_holes else None,
            "description": f"score {float(score):.4f}",
            "flags": {},
        }
        if has_holes:
            shapes.append(common | mask_keys(rle))
        else:
            shapes += [common | polygon_keys(ring) for ring in rings]
    name = None if image_path is None else PurePath(image_path).name
    return document(shapes, name, instances.size_hw)


def document(
    shapes: Sequence[dict[str, Any]], image_name: str | None, size_hw: tuple[int, int]
) -> dict[str, Any]:
    """Return the LabelMe document of a picture that lies beside it."""
    height, width = size_hw
    return {
        "version": VERSION,
        "flags": {},
        "shapes": list(shapes),
        "imagePath": image_name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def polygon_keys(points: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """Return what makes a shape a polygon with these corners."""
    return {"shape_type": "polygon", "points": [[float(x), float(y)] for x, y in points]}


def mask_keys(rle: masks.Rle) -> dict[str, Any]:
    """Return what makes a shape a mask, whose second corner is its last pixel."""
    left, top, right, bottom = masks.occupied_box(rle)
    return {
        "shape_type": "mask",
        "points": [[float(left), float(top)], [float(right - 1), float(bottom - 1)]],
        "mask": mask_to_text(masks.decode_box(rle, (left, top, right, bottom))),
    }


def mask_to_text(bitmap: NDArray[np.bool_]) -> str:
    """Return a bitmap (h, w) as the base64 text of a PNG, as LabelMe writes it."""
    content = io.BytesIO()
    Image.fromarray(bitmap).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")
