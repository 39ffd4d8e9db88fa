"""A sound split of two tiny images, and changes to its document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segtune.data.checks import SplitCheck, check_split
from segtune.progress import SilentReporter
from tests.drawing import write_json

Document = dict[str, Any]
Change = Callable[[Document], object]

HEIGHT, WIDTH = 10, 20
TRIANGLE = [2.0, 3.0, 6.0, 3.0, 6.0, 8.0]
REMOVE = object()


def sound_document() -> Document:
    """Two images; a polygon on the first, an RLE of 3 pixels on the second."""
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [TRIANGLE],
                "bbox": [2.0, 3.0, 4.0, 5.0],
                "area": 10.0,
                "iscrowd": 0,
            },
            {
                "id": 2,
                "image_id": 2,
                "category_id": 2,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": [25, 3, 172]},
                "bbox": [2, 5, 1, 3],
                "area": 3,
                "iscrowd": 0,
            },
        ],
        "categories": [{"id": 1, "name": "date"}, {"id": 2, "name": "fig"}],
    }


def draw_images(root: Path) -> Path:
    """Return the folder of the images of the sound document, a noise of its own for each."""
    (root / "images").mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        noise(seed, (HEIGHT, WIDTH)).save(root / "images" / name)
    return root / "images"


def noise(seed: int, size_hw: tuple[int, int]) -> Image.Image:
    """Return a colour picture that is like no other."""
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (*size_hw, 3)).astype(np.uint8)
    )


def check(document: object, images_root: Path) -> SplitCheck:
    file = write_json(images_root.parent / "instances.json", document)
    return check_split(file, images_root, reporter=SilentReporter())


def check_bytes(content: bytes, images_root: Path) -> SplitCheck:
    file = images_root.parent / "instances.json"
    file.write_bytes(content)
    return check_split(file, images_root, reporter=SilentReporter())


def change(section: str, key: str, value: object, index: int = 0) -> Change:
    def apply(document: Document) -> None:
        if value is REMOVE:
            del document[section][index][key]
        else:
            document[section][index][key] = value

    return apply


def image(key: str, value: object, index: int = 0) -> Change:
    return change("images", key, value, index)


def instance(key: str, value: object, index: int = 0) -> Change:
    return change("annotations", key, value, index)


def category(key: str, value: object, index: int = 0) -> Change:
    return change("categories", key, value, index)


def polygons(*rings: object) -> Change:
    return instance("segmentation", list(rings))


def copies(number: int) -> Change:
    """Add an instance of the first image so many times."""

    def apply(document: Document) -> None:
        first = document["annotations"][0]
        document["annotations"] += [first | {"id": 10 + turn} for turn in range(number)]

    return apply


def add_images(number: int) -> Change:
    """List so many more images."""

    def apply(document: Document) -> None:
        first = document["images"][0]
        document["images"] += [
            first | {"id": 10 + turn, "file_name": f"{turn}.png"} for turn in range(number)
        ]

    return apply


def rle(size: object, counts: object) -> Change:
    return instance("segmentation", {"size": size, "counts": counts}, index=1)
