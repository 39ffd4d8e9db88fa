"""A drawn dataset with at least twenty kinds of defects, some of which name markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.drawing import draw_coco, write_json

Annotation = dict[str, Any]

MARKUP = '<script>document.title="owned"</script>"><img src=x onerror=alert(1)>'
"""A class name that breaks out of any place of a page that does not escape it."""


def draw_defective(root: Path, *, size_hw: tuple[int, int] = (240, 320)) -> Path:
    """Return `root` with 24 training images, most of them faulty, and 3 validation images."""
    draw_coco(root, train=24, val=3, size_hw=size_hw, classes=("disc", MARKUP, "ring"))
    _damage_images(root / "images", size_hw)
    for split in ("train", "val"):
        file = root / "annotations" / f"instance_{split}.json"
        document = json.loads(file.read_text(encoding="utf-8"))
        if split == "train":
            _damage_annotations(document["annotations"])
            _damage_entries(document["images"])
        else:
            document["categories"][2]["name"] = "annulus"
            document["annotations"][0]["iscrowd"] = "no"
        write_json(file, document)
    return root


def _damage_images(images: Path, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    (images / "train_003.png").unlink()
    whole = (images / "train_005.png").read_bytes()
    (images / "train_005.png").write_bytes(whole[: len(whole) // 2])
    (images / "train_006.png").write_bytes(b"")
    Image.new("RGB", (width // 2, height), (70, 110, 90)).save(images / "train_007.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees
    turned = images / "train_009.png"
    Image.open(turned).save(turned, exif=exif)


def _damage_entries(images: list[Annotation]) -> None:
    images[10]["file_name"] = "/tmp/elsewhere.png"
    images[11]["file_name"] = "../../secret.png"
    images[22]["width"] = None
    del images[23]["height"]


def _damage_annotations(annotations: list[Annotation]) -> None:
    sound = [row for row in annotations if isinstance(row["segmentation"], list)]
    on_sound_images = [row for row in sound if row["image_id"] in (1, 2, 13, 14, 18, 19, 20)]
    for annotation, damage in zip(on_sound_images, _DAMAGES, strict=False):
        damage(annotation)
    rle = next(
        row for row in annotations if isinstance(row["segmentation"], dict) and row["image_id"] > 12
    )
    rle["segmentation"]["counts"][-1] += 1000


def _shift(annotation: Annotation, by: float) -> None:
    annotation["segmentation"] = [
        [value + by for value in ring] for ring in annotation["segmentation"]
    ]


def _set(key: str, value: object) -> Callable[[Annotation], None]:
    def apply(annotation: Annotation) -> None:
        annotation[key] = value

    return apply


def _cut(annotation: Annotation) -> None:
    annotation["segmentation"][0].pop()


def _two_points(annotation: Annotation) -> None:
    annotation["segmentation"] = [annotation["segmentation"][0][:4]]


def _corners_as_sides(annotation: Annotation) -> None:
    x, y, width, height = annotation["bbox"]
    annotation["bbox"] = [x, y, x + width, y + height]


_DAMAGES: tuple[Callable[[Annotation], None], ...] = (
    _cut,
    lambda annotation: _shift(annotation, 60.0),
    lambda annotation: _shift(annotation, 280.0),
    _two_points,
    _corners_as_sides,
    _set("category_id", 77),
    _set("segmentation", None),
    _set("segmentation", []),
    _set("bbox", [10.0, 20.0, 0.0, 0.0]),
    _set("bbox", [float("nan"), 5.0, 20.0, 20.0]),
    _set("area", -1.0),
    _set("image_id", 4711),
    _set("id", 1.5),
)
