"""Annotated images as training samples.

Shapes: H x W image, h x w network image, s mask stride, n instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.data.augment import Augmentation
from segtune.data.batch_spec import draw_batch_spec
from segtune.data.coco import CocoDataset, ImageRecord
from segtune.errors import DatasetError
from segtune.images import read_image
from segtune.preprocess import PreprocessSpec
from segtune.recipe import AugmentRecipe


@dataclass(frozen=True, eq=False)
class Sample:
    """One image at network size, not yet normalised, and what is to be found on it."""

    image: NDArray[np.uint8]  # (h, w, 3) RGB
    boxes: NDArray[np.float32]  # (n, 4) xyxy pixels of `image`
    labels: NDArray[np.int64]  # (n,)
    masks: NDArray[np.uint8]  # (n, h/s, w/s), rounded up
    mask_stride: int
    image_id: int


@dataclass(frozen=True)
class SampleMaker:
    """Turns the record of an image into a sample; all that a loader process has to know.

    Crowds are no targets. A box that the crop cuts stays as it was drawn, clipped to the crop;
    an instance of which no mask pixel is in the crop is left out.
    """

    augment: AugmentRecipe
    mask_stride: int
    seed: int

    def make(self, record: ImageRecord, index: int, epoch: int, spec: PreprocessSpec) -> Sample:
        """Return the sample that `seed`, `epoch` and `index` decide, resized as `spec` says.

        Raises:
            ImageError: The picture cannot be read.
            DatasetError: The picture has another size than the annotations say.
        """
        image = read_image(record.path)
        _refuse_other_size(record, (image.shape[0], image.shape[1]))
        targets = [instance for instance in record.instances if not instance.is_crowd]
        boxes = np.array([target.box for target in targets], np.float32).reshape(-1, 4)
        augmented = self._augmentation(image, boxes, seed=_sample_seed(self.seed, epoch, index))
        resized = spec.resize(augmented.image)
        size_hw = (resized.shape[0], resized.shape[1])

        rows: list[int] = []  # of `augmented`
        grids: list[NDArray[np.uint8]] = []
        for row, kept in enumerate(augmented.kept):
            bitmap = masks.rasterise(targets[kept].segmentation, record.size_hw)
            if augmented.placement.shows_any(bitmap):
                rows.append(row)
                grids.append(augmented.placement.sample(bitmap, size_hw, self.mask_stride))
        left = np.array(rows, np.int64)
        empty = np.zeros((0, *(-(-side // self.mask_stride) for side in size_hw)), np.uint8)
        return Sample(
            resized,
            _scaled(augmented.boxes[left], augmented.placement.window.size_hw, size_hw),
            np.array([targets[kept].label for kept in augmented.kept[left]], np.int64),
            np.stack(grids) if grids else empty,
            self.mask_stride,
            record.image_id,
        )

    @cached_property
    def _augmentation(self) -> Augmentation:
        return Augmentation(self.augment)

    def __reduce__(self) -> tuple[object, ...]:
        # Without the cached augmentation, which is quicker to build than to send.
        return SampleMaker, (self.augment, self.mask_stride, self.seed)


class TrainingSet:
    """The samples of a dataset, another variation of each in every epoch.

    Args:
        dataset: Images and annotations.
        spec: How the network wants its images, where `augment` draws nothing else for a batch.
        augment: How images are varied.
        mask_stride: Pixels of the network image from one mask cell to the next.
        seed: Decides all variations, together with epoch and index, or epoch and step.
    """

    def __init__(
        self,
        dataset: CocoDataset,
        spec: PreprocessSpec,
        augment: AugmentRecipe,
        *,
        mask_stride: int,
        seed: int,
    ) -> None:
        self.records = dataset.images
        self.spec = spec
        self.maker = SampleMaker(augment, mask_stride, seed)

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, epoch: int) -> Sample:
        """Return the sample of image `index` in `epoch` at the size of `spec`."""
        return self.maker.make(self.records[index], index, epoch, self.spec)

    def batch_spec(self, epoch: int, step: int) -> PreprocessSpec:
        """Return how the images of batch `step` of `epoch` are resized and normalised."""
        maker = self.maker
        return draw_batch_spec(self.spec, maker.augment, seed=maker.seed, epoch=epoch, step=step)


def _sample_seed(seed: int, epoch: int, index: int) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=(epoch, index))
    return int(sequence.generate_state(1, np.uint64)[0])


def _refuse_other_size(record: ImageRecord, size_hw: tuple[int, int]) -> None:
    if size_hw != record.size_hw:
        raise DatasetError(
            "an image is {} x {} pixels high and wide, annotated as {} x {}".format(
                *size_hw, *record.size_hw
            ),
            where=str(record.path),
            remedy="correct height and width in the annotation file, or put the right image there",
        )


def _scaled(
    boxes: NDArray[np.float32], from_hw: tuple[int, int], to_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Return boxes (n, 4) of an image after it was resized."""
    factor_xy = np.array([to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]] * 2)
    limit = np.array([to_hw[1], to_hw[0]] * 2)
    return np.asarray(np.minimum(boxes * factor_xy, limit), np.float32)
