"""A run of two drawn images whose steps can be made to fail, without anything to wait for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segtune.categories import Categories
from segtune.data.coco import CocoDataset, ImageRecord
from segtune.data.collate import Batch
from segtune.data.layout import SplitFiles
from segtune.recipe import Recipe
from segtune.training.job import Job
from segtune.zoo import find_spec

SIZE = 64  # pixels of a side
CLASSES = ("disc", "square", "ring")


def job_of(root: Path) -> Job:
    """Return a job over images 7 and 3, `a.png` and `more/b c.png`; no file is there."""
    names = {3: "more/b c.png", 7: "a.png"}
    dataset = CocoDataset(
        root / "train.json",
        Categories(enumerate(CLASSES, start=1)),
        tuple(ImageRecord(n, root / "images" / name, SIZE, SIZE, ()) for n, name in names.items()),
    )
    spec = find_spec("PP-YOLOE_seg-S")
    return Job(
        recipe=Recipe(model=spec.name, seed=5),
        spec=spec,
        preprocess=spec.preprocess,
        files=SplitFiles(root / "train.json", root / "val.json", root / "images"),
        train=dataset,
        val=dataset,
        fingerprint="",
        statistics={},
    )


def batch_of_two() -> Batch:
    """Return noise as images 7 and 3, with an object in the upper left and one more in image 7."""
    images = np.random.default_rng(0).random((2, 3, SIZE, SIZE), np.float32)
    masks = np.zeros((2, 2, SIZE // 4, SIZE // 4), np.uint8)
    masks[:, 0, 1:8, 1:8] = 1
    masks[0, 1, 8:15, 4:12] = 1
    boxes = [[[4, 4, 32, 32], [16, 32, 48, 60]], [[4, 4, 32, 32], [0, 0, 0, 0]]]
    return Batch(
        images=images,
        boxes=np.array(boxes, np.float32),
        labels=np.array([[0, 2], [1, 0]]),
        masks=masks,
        valid=np.array([[True, True], [True, False]]),
        sizes_hw=np.array([[SIZE, SIZE], [48, SIZE]], np.float32),
        image_ids=[7, 3],
    )
