"""A folder of drawn scenes in COCO layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segtune import masks
from segtune.errors import DatasetError
from segtune.files import atomic_folder
from segtune.images import write_image
from segtune.masks import Segmentation
from segtune.progress import Reporter, SilentReporter
from segtune.scenes.outline import segmentation_of
from segtune.scenes.scene import Content, Scene, Seen, draw_scene
from segtune.scenes.things import KINDS

_SILENT = SilentReporter()


def draw_dataset(
    root: Path,
    *,
    num_images: int = 60,
    size_hw: tuple[int, int] = (320, 320),
    seed: int = 0,
    val_share: float = 0.2,
    reporter: Reporter = _SILENT,
) -> Path:
    """Return `root`, now a COCO dataset of drawn scenes: `images/`, `annotations/instance_*.json`.

    The same arguments give the same bytes, whatever was drawn before. One scene in twelve shows
    nothing, and one in twenty-four a heap that is annotated as a crowd.

    Args:
        root: The folder to make; appears whole or not at all.
        num_images: How many scenes, both splits together.
        size_hw: Height and width of every picture; things grow with the shorter side.
        seed: Another seed gives other scenes.
        val_share: Part of the scenes that goes to the validation split.
        reporter: Told about every scene.

    Raises:
        DatasetError: The numbers leave a split without scenes, or a scene without room.
        OutputError: `root` exists or cannot be written.
    """
    num_val = round(num_images * val_share)
    _check_numbers(num_images, num_val, size_hw)
    splits = {"train": _Annotations("train", size_hw), "val": _Annotations("val", size_hw)}
    with (
        atomic_folder(root) as folder,
        reporter.task("drawing scenes", num_images) as task,
    ):
        for index in range(num_images):
            rng = np.random.default_rng([seed, index])
            scene = draw_scene(rng, size_hw, _content(index))
            name = f"scene_{index:04d}.jpg"
            write_image(folder / "images" / name, scene.image)
            # Spread over the whole range, so that both splits get all contents.
            is_val = (index + 1) * num_val // num_images > index * num_val // num_images
            splits["val" if is_val else "train"].add(index + 1, name, scene)
            task.advance()
        (folder / "annotations").mkdir()
        for split, annotations in splits.items():
            path = folder / "annotations" / f"instance_{split}.json"
            path.write_text(json.dumps(annotations.to_json()) + "\n", encoding="utf-8")
    return root


def _check_numbers(num_images: int, num_val: int, size_hw: tuple[int, int]) -> None:
    if not 0 < num_val < num_images:
        raise DatasetError(
            f"{num_images} scenes give {num_images - num_val} for training and {num_val} for "
            "validation",
            remedy="ask for more scenes, or another share for validation",
        )
    if min(size_hw) < 64:
        raise DatasetError(
            f"scenes of {size_hw[0]} x {size_hw[1]} pixels have no room for things",
            remedy="ask for at least 64 pixels a side",
        )


def _content(index: int) -> Content:
    if index % 12 == 3:
        return "nothing"
    return "heap" if index % 24 == 10 else "things"


class _Annotations:
    """The COCO file of one split, growing scene by scene."""

    def __init__(self, split: str, size_hw: tuple[int, int]) -> None:
        self._split = split
        self._size_hw = size_hw
        self._images: list[dict[str, Any]] = []
        self._instances: list[dict[str, Any]] = []

    def add(self, image_id: int, file_name: str, scene: Scene) -> None:
        """Add a scene and all that it shows."""
        height, width = self._size_hw
        self._images.append(
            {
                "id": image_id,
                "file_name": file_name,
                "height": height,
                "width": width,
                "license": 1,
            }
        )
        for seen in scene.seen:
            self._instances.append(_annotation(len(self._instances) + 1, image_id, seen))

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "info": {
                "description": f"Scenes drawn by segtune demo, {self._split} split",
                "version": "1.0",
                "contributor": "segtune",
            },
            "licenses": [
                {
                    "id": 1,
                    "name": "CC0 1.0",
                    "url": "https://creativecommons.org/publicdomain/zero/1.0/",
                }
            ],
            "categories": [
                {"id": label + 1, "name": kind.name, "supercategory": "thing"}
                for label, kind in enumerate(KINDS)
            ],
            "images": self._images,
            "annotations": self._instances,
        }


def _annotation(annotation_id: int, image_id: int, seen: Seen) -> dict[str, Any]:
    left, top, width, height = cv2.boundingRect(seen.bitmap.astype(np.uint8))
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": seen.label + 1,
        "bbox": [left, top, width, height],
        "area": int(np.count_nonzero(seen.bitmap)),
        "iscrowd": int(seen.is_crowd),
        "segmentation": _crowd_or_outline(seen),
    }


def _crowd_or_outline(seen: Seen) -> Segmentation:
    # COCO tools read a crowd region from RLE only.
    return dict(masks.encode(seen.bitmap)) if seen.is_crowd else segmentation_of(seen.bitmap)
