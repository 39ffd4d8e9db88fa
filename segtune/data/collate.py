"""Samples of unlike size and number of instances as one batch.

Shapes: N images, G instances of the image that has most, h x w batch image, s mask stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.dataset import Sample
from segtune.preprocess import PreprocessSpec


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as the network reads them, and their instances filled up with invalid ones."""

    images: NDArray[np.float32]  # (N, 3, h, w)
    boxes: NDArray[np.float32]  # (N, G, 4) xyxy pixels of the batch image
    labels: NDArray[np.int64]  # (N, G)
    masks: NDArray[np.uint8]  # (N, G, h/s, w/s)
    valid: NDArray[np.bool_]  # (N, G), false for what only fills up; G may be 0
    sizes_hw: NDArray[np.float32]  # (N, 2), of the images without padding
    image_ids: list[int]


def collate(samples: Sequence[Sample], spec: PreprocessSpec) -> Batch:
    """Return samples as a batch, zero where an image is smaller or has fewer instances."""
    arrays = [spec.normalise(sample.image) for sample in samples]
    num_images, most = len(samples), max(len(sample.labels) for sample in samples)
    input_hw = _largest([array.shape[1:] for array in arrays])
    grid_hw = tuple(-(-side // samples[0].mask_stride) for side in input_hw)

    images = np.zeros((num_images, 3, *input_hw), np.float32)
    boxes = np.zeros((num_images, most, 4), np.float32)
    labels = np.zeros((num_images, most), np.int64)
    masks = np.zeros((num_images, most, *grid_hw), np.uint8)
    valid = np.zeros((num_images, most), np.bool_)
    for n, (sample, array) in enumerate(zip(samples, arrays, strict=True)):
        count, grid_height, grid_width = sample.masks.shape
        images[n, :, : array.shape[1], : array.shape[2]] = array
        boxes[n, :count] = sample.boxes
        labels[n, :count] = sample.labels
        masks[n, :count, :grid_height, :grid_width] = sample.masks
        valid[n, :count] = True
    sizes_hw = np.asarray([sample.image.shape[:2] for sample in samples], np.float32)
    image_ids = [sample.image_id for sample in samples]
    return Batch(images, boxes, labels, masks, valid, sizes_hw, image_ids)


def _largest(sizes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(max(sides) for sides in zip(*sizes, strict=True))
