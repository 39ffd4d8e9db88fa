"""A small COCO dataset, drawn, with every form of annotation that segtune reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Ring = list[float]
COLOURS = ((214, 72, 60), (58, 120, 200), (80, 170, 90), (230, 190, 60), (150, 90, 190))


def draw_coco(
    root: Path,
    *,
    train: int = 6,
    val: int = 3,
    size_hw: tuple[int, int] = (96, 128),
    classes: Sequence[str] = ("disc", "square"),
    seed: int = 0,
) -> Path:
    """Return `root`, holding images/ and annotations/instance_{train,val}.json.

    Images take turns in what they show: two polygons; an instance of two rings; an uncompressed
    RLE, in a nested folder; a polygon beside a crowd; nothing; three polygons. Instances are a
    quarter of the image high and do not overlap. Category ids are 1, 3, 5, ... in file order.
    """
    categories = [{"id": 1 + 2 * label, "name": name} for label, name in enumerate(classes)]
    generator = np.random.default_rng(seed)
    for split, num_images in (("train", train), ("val", val)):
        canvases = [
            _draw_image(root, split, index, size_hw, len(classes), generator)
            for index in range(num_images)
        ]
        ids = count(1)
        annotations = [
            {"id": next(ids), "image_id": number, **annotation}
            for number, canvas in enumerate(canvases, start=1)
            for annotation in canvas.annotations
        ]
        images = [
            {"id": number, "file_name": canvas.file_name, "height": size_hw[0], "width": size_hw[1]}
            for number, canvas in enumerate(canvases, start=1)
        ]
        write_json(
            root / "annotations" / f"instance_{split}.json",
            {"images": images, "annotations": annotations, "categories": categories},
        )
    return root


def write_json(path: Path, document: object) -> Path:
    """Write `document` as JSON to `path`, making its folders, and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _draw_image(
    root: Path,
    split: str,
    index: int,
    size_hw: tuple[int, int],
    num_classes: int,
    generator: np.random.Generator,
) -> Canvas:
    fill = _FILLS[index % len(_FILLS)]
    folder = "nested/" if fill is _uncompressed else ""
    canvas = Canvas(f"{folder}{split}_{index:03d}.png", size_hw, generator)
    fill(canvas, [(index + turn) % num_classes for turn in range(3)])
    path = root / "images" / canvas.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(canvas.image).save(path)
    return canvas


@dataclass(frozen=True)
class Place:
    """A third of the canvas: centre and half the side of the shape that fits into it, pixels."""

    x: float
    y: float
    reach: float


class Canvas:
    """One image with its annotations, drawn into three places side by side."""

    def __init__(
        self, file_name: str, size_hw: tuple[int, int], generator: np.random.Generator
    ) -> None:
        self.file_name = file_name
        self.image: NDArray[np.uint8] = generator.integers(90, 130, (*size_hw, 3)).astype(np.uint8)
        self.annotations: list[dict[str, Any]] = []
        height, width = size_hw
        reach = min(height / 8, width / 8)
        self.places = [
            Place(width * (1 + 2 * third) / 6, height / 2 + generator.uniform(-1, 1) * reach, reach)
            for third in range(3)
        ]

    def add_polygon(self, label: int, place: Place) -> None:
        """Draw one shape of a class and annotate its outline."""
        self._annotate(label, [_outline(label, place)])

    def add_two_rings(self, label: int, first: Place, second: Place) -> None:
        """Draw two shapes that are one instance."""
        self._annotate(label, [_outline(label, first), _outline(label, second)])

    def add_rle(self, label: int, place: Place, *, crowd: bool) -> None:
        """Draw one shape and annotate it as uncompressed RLE."""
        self._annotate(label, [_outline(label, place)])
        bitmap = self._paint(label, self.annotations[-1]["segmentation"])
        self.annotations[-1] |= {
            "segmentation": {"size": list(bitmap.shape), "counts": run_lengths(bitmap)},
            "area": float(bitmap.sum()),
            "iscrowd": int(crowd),
        }

    def _annotate(self, label: int, rings: list[Ring]) -> None:
        points = np.concatenate([np.reshape(ring, (-1, 2)) for ring in rings])
        x1, y1 = points.min(axis=0).tolist()
        x2, y2 = points.max(axis=0).tolist()
        bitmap = self._paint(label, rings)
        self.annotations.append(
            {
                "category_id": 1 + 2 * label,
                "segmentation": rings,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": float(bitmap.sum()),
                "iscrowd": 0,
            }
        )

    def _paint(self, label: int, rings: list[Ring]) -> NDArray[np.bool_]:
        """Colour the pixels whose centre lies in a ring, and return them (height, width)."""
        height, width = self.image.shape[:2]
        inside = np.zeros((height, width), dtype=bool)
        for ring in rings:
            inside |= _pixels_inside(ring, (height, width))
        self.image[inside] = COLOURS[label % len(COLOURS)]
        return inside


def run_lengths(bitmap: NDArray[np.bool_]) -> list[int]:
    """Return the uncompressed COCO counts of a bitmap: column by column, background first."""
    pixels = np.concatenate([[False], bitmap.ravel(order="F")])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    return np.diff([0, *changes.tolist(), bitmap.size]).tolist()


def _outline(label: int, place: Place) -> Ring:
    """Return a disc of 24 corners for even labels, a square for odd ones."""
    if label % 2 == 0:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    points = np.array([place.x, place.y]) + place.reach * corners
    return [round(value, 2) for value in points.ravel().tolist()]


def _pixels_inside(ring: Ring, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in a convex, clockwise ring."""
    ys, xs = np.indices(size_hw) + 0.5
    corners = np.reshape(ring, (-1, 2))
    inside = np.ones(size_hw, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (bx - ax) * (ys - ay) - (by - ay) * (xs - ax) >= 0
    return inside


def _two_polygons(canvas: Canvas, labels: list[int]) -> None:
    canvas.add_polygon(labels[0], canvas.places[0])
    canvas.add_polygon(labels[1], canvas.places[2])


def _two_rings(canvas: Canvas, labels: list[int]) -> None:
    canvas.add_two_rings(labels[0], canvas.places[0], canvas.places[1])


def _uncompressed(canvas: Canvas, labels: list[int]) -> None:
    canvas.add_rle(labels[0], canvas.places[1], crowd=False)


def _beside_a_crowd(canvas: Canvas, labels: list[int]) -> None:
    canvas.add_polygon(labels[0], canvas.places[0])
    canvas.add_rle(labels[1], canvas.places[2], crowd=True)


def _nothing(canvas: Canvas, labels: list[int]) -> None:
    del labels


def _three_polygons(canvas: Canvas, labels: list[int]) -> None:
    for label, place in zip(labels, canvas.places, strict=True):
        canvas.add_polygon(label, place)


_FILLS: tuple[Callable[[Canvas, list[int]], None], ...] = (
    _two_polygons,
    _two_rings,
    _uncompressed,
    _beside_a_crowd,
    _nothing,
    _three_polygons,
)
