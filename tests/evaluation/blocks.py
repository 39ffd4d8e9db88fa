"""Pictures of plain blocks, and a backend that finds every block without any weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune import masks
from segtune.categories import Categories
from segtune.outputs import MaskFrame, Outputs
from segtune.predictor import Predictor
from segtune.preprocess import PreprocessSpec

SIZE_HW = (48, 64)
# One colour a block: the first two are figs, the third is a nut.
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
LABELS = (0, 0, 1)
CLASSES = ({"id": 3, "name": "fig"}, {"id": 8, "name": "nut"})
WINDOWS = (  # rows and columns of each block
    (slice(4, 20), slice(4, 40)),
    (slice(24, 44), slice(8, 20)),
    (slice(30, 40), slice(30, 60)),
)


def draw_blocks(root: Path, *, num_images: int = 3) -> Path:
    """Return the annotation file of pictures under root/images; the second picture is empty."""
    (root / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, num_images + 1):
        picture = np.full((*SIZE_HW, 3), 128, np.uint8)
        for block in () if number == 2 else range(3):
            rows, columns = WINDOWS[block]
            picture[rows, columns] = COLOURS[block]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, **_annotation(block)}
            )
        name = f"{number}.png"
        Image.fromarray(picture).save(root / "images" / name)
        images.append({"id": number, "file_name": name, "height": SIZE_HW[0], "width": SIZE_HW[1]})
    path = root / "val.json"
    document = {"images": images, "annotations": annotations, "categories": CLASSES}
    path.write_text(json.dumps(document))
    return path


def _annotation(block: int) -> dict[str, Any]:
    rows, columns = WINDOWS[block]
    bitmap = np.zeros(SIZE_HW, dtype=bool)
    bitmap[rows, columns] = True
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return {
        "category_id": CLASSES[LABELS[block]]["id"],
        "segmentation": masks.encode(bitmap),
        "bbox": [columns.start, rows.start, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


class BlockFinder:
    """A backend that returns the blocks of an image, first to last, with falling scores."""

    def __init__(self, blocks: Sequence[int] = (0, 1, 2)) -> None:
        self.blocks = blocks
        self.batch_sizes: list[int] = []

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return one row for each block that `blocks` names and the image shows."""
        self.batch_sizes.append(len(images))
        found = [
            (image, block, np.all(pixels == np.divide(COLOURS[block], 255)[:, None, None], axis=0))
            for image, pixels in enumerate(images.round(4))
            for block in self.blocks
        ]
        rows = [(image, block, bitmap) for image, block, bitmap in found if bitmap.any()]
        return Outputs(
            np.asarray([_box(bitmap) for *_, bitmap in rows], np.float32).reshape(-1, 4),
            np.asarray([0.75 - 0.25 * block for _, block, _ in rows], np.float32),
            np.asarray([LABELS[block] for _, block, _ in rows], np.int64),
            np.asarray([20.0 * bitmap - 10 for *_, bitmap in rows], np.float32).reshape(
                -1, *SIZE_HW
            ),
            np.bincount([image for image, *_ in rows], minlength=len(images)).astype(np.int32),
        )


def _box(bitmap: NDArray[np.bool_]) -> list[int]:
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def predictor_of(backend: BlockFinder, categories: Sequence[dict[str, Any]] = CLASSES) -> Predictor:
    """Return a predictor that hands images to `backend` as they are."""
    return Predictor(
        backend,
        PreprocessSpec(size_hw=SIZE_HW),
        Categories.from_json(categories),
        MaskFrame.INPUT,
        "BlockFinder",
    )
