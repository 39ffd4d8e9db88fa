"""Faults that show over many images, between two splits, or beside a recipe; no image is opened.

A row is the rule, a sound twin at its limit, the faulty documents, and the place that is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.data.rules.document import Document


@dataclass(frozen=True)
class Split:
    """Images of 100 x 100 with a row of triangles each."""

    num_images: int = 12
    classes: tuple[int, ...] = (1, 2)
    """Of the instances on every image."""
    rare: int = 0
    """How many images, the first ones, have an instance of class 3 as well."""
    side: int = 10
    """Of a triangle, in pixels."""
    num_classes: int = 2
    prefix: str = "t"
    stretch: int = 1

    def document(self) -> Document:
        annotations: list[dict[str, Any]] = []
        for image in range(self.num_images):
            labels = (*self.classes, *((3,) if image < self.rare else ()))
            for place, category_id in enumerate(labels):
                x, y = divmod(place * self.side, 100 - self.side)
                x, y = y, x * self.side
                right, bottom = x + self.side, y + self.side * self.stretch
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image + 1,
                        "category_id": category_id,
                        "segmentation": [[x, y, right, y, x, bottom]],
                        "bbox": [x, y, right - x, bottom - y],
                        "area": (right - x) * (bottom - y) / 2,
                        "iscrowd": 0,
                    }
                )
        names = ("date", "fig", "nut")[: self.num_classes]
        return {
            "images": [
                {
                    "id": image + 1,
                    "file_name": f"{self.prefix}{image}.png",
                    "height": 100,
                    "width": 100,
                }
                for image in range(self.num_images)
            ],
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for i, name in enumerate(names, start=1)],
        }


@dataclass(frozen=True)
class Pair:
    """Both splits, and the recipe they are held against."""

    train: Split = Split()
    val: Split = Split(prefix="v")
    recipe: str | None = None
    edit: Callable[[Document], object] = lambda document: None
    """A change of the validation split."""


TRAIN, VAL = Split(), Split(prefix="v")
THREE = replace(TRAIN, num_classes=3)
THREE_VAL = replace(VAL, num_classes=3, rare=5)
MANY = replace(TRAIN, num_images=100, num_classes=3)
MANY_VAL = replace(VAL, num_images=100, num_classes=3)

SPLIT_CASES: list[tuple[str, Pair, Pair, str]] = [
    (
        "category-few-instances",
        Pair(replace(THREE, rare=10), THREE_VAL),
        Pair(replace(THREE, rare=9), THREE_VAL),
        "train.json, categories: 'nut' has 9",
    ),
    (
        "category-imbalance",
        Pair(replace(MANY, classes=(1, 1, 2), rare=10), replace(MANY_VAL, rare=10)),
        Pair(replace(MANY, classes=(1, 1, 1, 2), rare=10), replace(MANY_VAL, rare=10)),
        "train.json, categories: 300 'date' to 10 'nut'",
    ),
    (
        "category-split-missing",
        Pair(),
        Pair(edit=lambda d: d["categories"].append({"id": 9, "name": "star"})),
        "val.json, categories: id 9, 'star', is declared in val only",
    ),
    (
        "category-split-name",
        Pair(edit=lambda d: d["categories"].reverse()),
        Pair(edit=lambda d: d["categories"][0].update(name="ring")),
        "val.json, categories: id 1 is 'date' in train, 'ring' in val",
    ),
    (
        "splits-classes-differ",
        Pair(replace(MANY, rare=30), replace(MANY_VAL, rare=16)),
        Pair(replace(MANY, rare=60), replace(MANY_VAL, rare=20)),
        "val.json, annotations: 'nut' is on 60% of images in train, 20% in val",
    ),
    (
        "splits-sizes-differ",
        Pair(replace(TRAIN, side=16), VAL),
        Pair(replace(TRAIN, side=25), VAL),
        "val.json, annotations: half of the instances are below 25.0% of the image's side in "
        "train, 10.0% in val",
    ),
    (
        "instance-below-stride",  # 100 x 100 pixels become 640 x 640: 2 become 12.8, 1 becomes 6.4
        Pair(replace(TRAIN, side=2, stretch=4), replace(VAL, side=2), "mask_rt_detr_s"),
        Pair(replace(TRAIN, side=1, stretch=4), replace(VAL, side=2), "mask_rt_detr_s"),
        "train.json, annotations[0]: 6.4 of 8 pixels on t0.png",
    ),
    (
        "image-above-limit",
        Pair(replace(TRAIN, classes=(1, 2) * 50, side=5), VAL, "mask_rcnn_resnet50_fpn"),
        Pair(replace(TRAIN, classes=(1, 2) * 51, side=5), VAL, "mask_rcnn_resnet50_fpn"),
        "train.json, images[0]: 102, MaskRCNN-ResNet50-FPN returns 100 (t0.png)",
    ),
]
