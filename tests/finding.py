"""Predictors without a network, which find what a test can predict by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.instances import Instances
from segtune.masks import encode_all

CATEGORIES = Categories([(3, "red"), (7, "蓝"), (9, "green")])


@dataclass
class ColourFinder:
    """Finds every connected patch of pure red, blue (label 1) or green on a picture.

    The score is 0.9, less a thousandth for every row of the image above the patch's top.

    Attributes:
        batches: How many images each call of the network had.
    """

    categories: Categories = CATEGORIES
    model_name: str = "PP-YOLOE_seg-S"
    batches: list[int] = field(default_factory=list)

    def predict(
        self, images: Iterable[NDArray[np.uint8]], *, threshold: float = 0.5, batch_size: int = 1
    ) -> Iterator[Instances]:
        batch: list[NDArray[np.uint8]] = []
        for image in images:
            batch.append(image)
            if len(batch) == batch_size:
                yield from self._run(batch, threshold)
                batch = []
        yield from self._run(batch, threshold)

    def _run(self, batch: list[NDArray[np.uint8]], threshold: float) -> Iterator[Instances]:
        if batch:
            self.batches.append(len(batch))
        yield from [self._find(image, threshold) for image in batch]

    def _find(self, image: NDArray[np.uint8], threshold: float) -> Instances:
        bitmaps, boxes, scores, labels = [], [], [], []
        for label, channel in enumerate((0, 2, 1)):
            others = np.delete(image, channel, axis=2)
            pure = (image[:, :, channel] > 200) & (others < 60).all(axis=2)
            count, patches, stats, _ = cv2.connectedComponentsWithStats(pure.astype(np.uint8))
            for patch in range(1, count):
                left, top, width, height, _ = stats[patch].tolist()
                bitmaps.append(patches == patch)
                boxes.append([left, top, left + width, top + height])
                scores.append(0.9 - min(top, 300) / 1000)
                labels.append(label)
        size_hw = (image.shape[0], image.shape[1])
        if not bitmaps:
            return Instances.none(size_hw)
        found = Instances(
            np.asarray(boxes, np.float32),
            np.asarray(scores, np.float32),
            np.asarray(labels, np.int64),
            encode_all(np.stack(bitmaps)),
            size_hw,
        )
        found = found.select(found.scores > threshold)
        return found.select(np.argsort(-found.scores, kind="stable"))


def picture(
    *patches: tuple[tuple[int, int, int, int], tuple[int, int, int]],
    size_hw: tuple[int, int] = (60, 80),
) -> NDArray[np.uint8]:
    """Return a grey RGB image with a rectangle (left, top, right, bottom) a patch."""
    image = np.full((*size_hw, 3), 128, np.uint8)
    for (left, top, right, bottom), colour in patches:
        image[top:bottom, left:right] = colour
    return image


RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)
