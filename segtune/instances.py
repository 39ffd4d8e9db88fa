"""The instances found in, or labelled on, one image.

Shapes: n instances, H x W image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks as mask_forms
from segtune.categories import Categories
from segtune.masks import Rle


@dataclass(frozen=True, eq=False)
class Instances:
    """Boxes, scores, labels and masks of one image; fields of equal length n, also when n is 0.

    Masks are kept as compressed COCO RLE, since three hundred bitmaps of a large photograph do
    not fit in memory.

    Raises:
        ValueError: Fields differ in length or shape; only a bug can cause this.
    """

    boxes: NDArray[np.float32]  # (n, 4) xyxy pixels of the image
    scores: NDArray[np.float32]  # (n,)
    labels: NDArray[np.int64]  # (n,)
    rles: tuple[Rle, ...]  # n masks of H x W
    size_hw: tuple[int, int]  # of the image

    def __post_init__(self) -> None:
        n = len(self.rles)
        shapes = (self.boxes.shape, self.scores.shape, self.labels.shape)
        if shapes != ((n, 4), (n,), (n,)):
            raise ValueError(f"{n} masks do not go with boxes, scores, labels of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.rles)

    @classmethod
    def none(cls, size_hw: tuple[int, int]) -> Instances:
        """Return the instances of an image that shows none."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int64),
            (),
            size_hw,
        )

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Bitmaps (n, H, W), decoded on every access."""
        return mask_forms.decode_all(self.rles, self.size_hw)

    def select(self, rows: NDArray[Any]) -> Instances:
        """Return the rows that an index or boolean array names, in its order."""
        chosen = np.arange(len(self))[rows]
        return Instances(
            self.boxes[chosen],
            self.scores[chosen],
            self.labels[chosen],
            tuple(self.rles[row] for row in chosen),
            self.size_hw,
        )

    def resized(self, size_hw: tuple[int, int]) -> Instances:
        """Return the same instances on a copy of the image that has another size.

        Masks take the nearest pixel, so this is for looking at.
        """
        if size_hw == self.size_hw:
            return self
        scale_h, scale_w = (new / old for new, old in zip(size_hw, self.size_hw, strict=True))
        boxes = self.boxes * np.asarray([scale_w, scale_h, scale_w, scale_h], np.float32)
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(np.int64)
            for new, old in zip(size_hw, self.size_hw, strict=True)
        )
        rles = []
        for rle in self.rles:
            left, top, right, bottom = mask_forms.occupied_box(rle)
            first_row, last_row = np.searchsorted(rows, [top, bottom])
            first_column, last_column = np.searchsorted(columns, [left, right])
            window = mask_forms.sample(
                rle, rows[first_row:last_row], columns[first_column:last_column]
            )
            rles.append(mask_forms.encode_window(window.T, first_row, first_column, size_hw))
        return Instances(boxes, self.scores, self.labels, tuple(rles), size_hw)

    def to_json(self, categories: Categories) -> list[dict[str, Any]]:
        """Return one dict an instance: label, category id, class name, score, box, RLE."""
        return [
            {
                "label": int(label),
                "category_id": categories[int(label)].id,
                "class_name": categories[int(label)].name,
                "score": float(score),
                "box_xyxy": [float(side) for side in box],
                "mask_rle": rle,
            }
            for box, score, label, rle in zip(
                self.boxes, self.scores, self.labels, self.rles, strict=True
            )
        ]

    def to_coco(self, image_id: int, categories: Categories) -> list[dict[str, Any]]:
        """Return COCO result records: `bbox` is x, y, width, height."""
        return [
            {
                "image_id": image_id,
                "category_id": categories[int(label)].id,
                "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
                "segmentation": rle,
                "score": float(score),
            }
            for (x1, y1, x2, y2), score, label, rle in zip(
                self.boxes.astype(np.float64), self.scores, self.labels, self.rles, strict=True
            )
        ]
