"""A small sound dataset for repairs to be tried on, and what a repair makes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.data.repair.plan import RepairPlan, plan_repairs
from segtune.progress import SilentReporter
from tests.drawing import write_json

Document = dict[str, Any]
HEIGHT, WIDTH = 40, 60
SQUARE = [10.0, 5.0, 30.0, 5.0, 30.0, 25.0, 10.0, 25.0]  # 20 x 20, its bbox 10, 5, 20, 20
STRIP = [40, 5, 45, 5, 45, 35, 40, 35]  # 5 x 30
REMOVE = object()


def sound() -> Document:
    """Return two images; two polygons on the first, an RLE of 12 pixels on the second."""
    return {
        "info": {"description": "Äpfel"},
        "licenses": [],
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "sub/b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [SQUARE],
                "bbox": [10.0, 5.0, 20.0, 20.0],
                "area": 400.0,
                "iscrowd": 0,
                "attributes": {"ripe": True},
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 2,
                "segmentation": [STRIP],
                "bbox": [40, 5, 5, 30],
                "area": 150,
                "iscrowd": 0,
            },
            {
                "id": 3,
                "image_id": 2,
                "category_id": 2,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": [45, 12, 2343]},
                "bbox": [1, 5, 1, 12],
                "area": 12,
                "iscrowd": 1,
            },
        ],
        "categories": [{"id": 1, "name": "date"}, {"id": 2, "name": "fig"}],
    }


def build(root: Path, train: Document, val: Document | None = None) -> Path:
    """Return `root` with both annotation files and two pictures of 60 x 40 pixels."""
    for name in ("a.png", "sub/b.png"):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 60)).save(path)
    write_json(root / "annotations" / "instance_train.json", train)
    write_json(root / "annotations" / "instance_val.json", sound() if val is None else val)
    return root


def plan(root: Path) -> RepairPlan:
    """Return what would be repaired of the dataset at `root`."""
    return plan_repairs(locate_root(root), reporter=SilentReporter())


def changes(found: RepairPlan) -> list[tuple[str, str, Any, Any]]:
    """Return pointer, repair, before and after of every change."""
    return [
        (change.pointer, change.repair, change.before, change.after) for change in found.changes
    ]


def altered(section: str, index: int, **values: Any) -> Document:
    """Return the sound document with some values of one entry replaced or removed."""
    return together((section, index, values))


def together(*alterations: tuple[str, int, dict[str, Any]]) -> Document:
    """Return the sound document with values of several entries replaced or removed."""
    document = sound()
    for section, index, values in alterations:
        for key, value in values.items():
            if value is REMOVE:
                del document[section][index][key]
            else:
                document[section][index][key] = copy.deepcopy(value)
    return document


def after(alter: Callable[[Document], object]) -> Document:
    """Return the sound document after `alter` changed it."""
    document = sound()
    alter(document)
    return document


def codes(root: Path) -> set[str]:
    """Return the codes of all findings in the dataset at `root`."""
    return {finding.code for finding in check_dataset(locate_root(root)).findings}


def train_of(found: RepairPlan) -> Document:
    """Return the repaired training document."""
    document: Document = json.loads(found.train)
    return document
