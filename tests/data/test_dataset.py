from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segtune.categories import Categories
from segtune.data.coco import CocoDataset, ImageRecord, InstanceRecord, read_coco
from segtune.data.dataset import TrainingSet
from segtune.data.expand import FILL
from segtune.errors import DatasetError, ImageError
from segtune.preprocess import PreprocessSpec
from segtune.recipe import AugmentRecipe
from tests.data.coloured import boxes_of, draw_objects, rle_of

SPEC = PreprocessSpec(size_hw=(160, 192))
NOTHING = AugmentRecipe(distort=0, expand=0, crop=0, flip=0)
GEOMETRY = AugmentRecipe(distort=0)
SQUARE = np.ones((3, 3), np.uint8)


@pytest.fixture
def coloured(tmp_path: Path) -> CocoDataset:
    """One image of four objects, with a crowd over all of them."""
    image, masks = draw_objects()
    path = tmp_path / "coloured.png"
    Image.fromarray(image).save(path)
    everything = np.ones(image.shape[:2], dtype=bool)
    instances = tuple(
        InstanceRecord(
            annotation_id=number,
            label=number,
            box=tuple(boxes_of(mask[None])[0].tolist()),
            segmentation=rle_of(mask),
            is_crowd=number == 4,
            area=float(mask.sum()),
        )
        for number, mask in enumerate([*masks, everything])
    )
    record = ImageRecord(7, path, 120, 160, instances)
    return CocoDataset(
        tmp_path / "a.json",
        Categories((number, f"class {number}") for number in range(1, 6)),
        (record,),
    )


def _training_set(
    dataset: CocoDataset, augment: AugmentRecipe, stride: int = 1, seed: int = 0
) -> TrainingSet:
    return TrainingSet(dataset, SPEC, augment, mask_stride=stride, seed=seed)


def test_an_unchanged_sample_holds_all_but_the_crowd(coloured: CocoDataset) -> None:
    sample = _training_set(coloured, NOTHING).sample(0, 0)

    image, masks = draw_objects()
    assert sample.image_id == 7
    assert sample.labels.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(sample.image, SPEC.resize(image))
    scale = np.array([192 / 160, 160 / 120, 192 / 160, 160 / 120])
    np.testing.assert_allclose(sample.boxes, boxes_of(masks) * scale, atol=1e-3)
    for mask, drawn in zip(sample.masks, masks, strict=True):
        resized = cv2.resize(drawn.astype(np.uint8), (192, 160), interpolation=cv2.INTER_NEAREST)
        np.testing.assert_array_equal(mask, resized)


@pytest.mark.parametrize("shown", [0, 1, 3], ids=["hole", "two parts", "at two edges"])
def test_image_masks_and_boxes_stay_aligned_to_a_pixel(coloured: CocoDataset, shown: int) -> None:
    """One object is white; all else has the colour of the canvas, so that edges are half-way.

    The triangle is left to test_augment: enlarged, its slanted edge is a staircase in the mask
    and smooth in the image.
    """
    image, masks = draw_objects()
    image[:] = FILL
    image[masks[shown]] = 250
    Image.fromarray(image).save(coloured.images[0].path)
    training_set = _training_set(coloured, GEOMETRY)
    seen = 0

    for epoch in range(25):
        sample = training_set.sample(0, epoch)
        assert len(sample.boxes) == len(sample.labels) == len(sample.masks)
        for row in np.flatnonzero(sample.labels == shown):
            seen += 1
            mask, (x1, y1, x2, y2) = sample.masks[row], sample.boxes[row]
            region = (sample.image[..., 0] > (250 + FILL[0]) / 2).astype(np.uint8)
            assert (region <= cv2.dilate(mask, SQUARE)).all()
            assert (mask <= cv2.dilate(region, SQUARE)).all()
            rows, columns = np.nonzero(mask)
            assert x1 - 1 <= columns.min()
            assert columns.max() + 1 <= x2 + 1
            assert y1 - 1 <= rows.min()
            assert rows.max() + 1 <= y2 + 1
    assert seen > 5


def test_a_stride_takes_every_so_many_th_pixel_of_the_mask(coloured: CocoDataset) -> None:
    for epoch in range(5):
        fine = _training_set(coloured, GEOMETRY, stride=1).sample(0, epoch)
        coarse = _training_set(coloured, GEOMETRY, stride=4).sample(0, epoch)

        assert coarse.masks.shape[1:] == (40, 48)
        assert coarse.mask_stride == 4
        np.testing.assert_array_equal(coarse.masks, fine.masks[:, ::4, ::4])
        np.testing.assert_array_equal(coarse.boxes, fine.boxes)


def test_an_instance_without_a_visible_pixel_is_left_out(coloured: CocoDataset) -> None:
    (record,) = coloured.images
    kept = record.instances[0]
    nowhere = InstanceRecord(
        99, 1, (1.0, 1.0, 9.0, 9.0), rle_of(np.zeros((120, 160), dtype=bool)), False, 0.0
    )
    record = ImageRecord(7, record.path, 120, 160, (nowhere, kept))
    dataset = CocoDataset(coloured.annotation_file, coloured.categories, (record,))

    sample = _training_set(dataset, NOTHING).sample(0, 0)

    assert sample.labels.tolist() == [kept.label]
    assert len(sample.masks) == len(sample.boxes) == 1


@pytest.mark.parametrize("augment", [NOTHING, AugmentRecipe()])
@pytest.mark.parametrize("instances", [slice(0, 0), slice(4, 5)], ids=["background", "crowd only"])
def test_an_image_without_targets_gives_an_empty_sample(
    coloured: CocoDataset, augment: AugmentRecipe, instances: slice
) -> None:
    (record,) = coloured.images
    record = ImageRecord(7, record.path, 120, 160, record.instances[instances])
    dataset = CocoDataset(coloured.annotation_file, coloured.categories, (record,))

    sample = _training_set(dataset, augment, stride=4).sample(0, 0)

    assert sample.image.shape == (160, 192, 3)
    assert sample.boxes.shape == (0, 4)
    assert sample.labels.shape == (0,)
    assert sample.masks.shape == (0, 40, 48)


def test_epochs_seeds_and_indices_give_other_samples_and_the_same_ones_again(
    coloured: CocoDataset,
) -> None:
    twice = CocoDataset(coloured.annotation_file, coloured.categories, coloured.images * 2)
    streams = {
        (seed, epoch, index): _training_set(twice, AugmentRecipe(), seed=seed)
        .sample(index, epoch)
        .image.tobytes()
        for seed in range(2)
        for epoch in range(2)
        for index in range(2)
    }

    assert len(set(streams.values())) == 8
    again = _training_set(twice, AugmentRecipe(), seed=1)
    again.sample(0, 0)  # what was made before does not matter
    assert again.sample(0, 1).image.tobytes() == streams[1, 1, 0]


def test_every_form_of_annotation_becomes_a_sample(tiny_coco: Path) -> None:
    dataset = read_coco(tiny_coco / "annotations" / "instance_train.json", tiny_coco / "images")

    training_set = _training_set(dataset, NOTHING)

    samples = [training_set.sample(index, 0) for index in range(len(training_set))]
    assert [len(sample.labels) for sample in samples] == [2, 1, 1, 1, 0, 3]
    assert all(mask.any() for sample in samples for mask in sample.masks)


def test_an_image_of_another_size_is_named(coloured: CocoDataset) -> None:
    (record,) = coloured.images
    Image.new("RGB", (160, 121)).save(record.path)

    with pytest.raises(DatasetError, match="121 x 160") as caught:
        _training_set(coloured, NOTHING).sample(0, 0)

    assert caught.value.where == str(record.path)


def test_an_unreadable_image_is_named(coloured: CocoDataset) -> None:
    (record,) = coloured.images
    record.path.write_bytes(b"no picture")

    with pytest.raises(ImageError) as caught:
        _training_set(coloured, NOTHING).sample(0, 0)

    assert caught.value.where == str(record.path)
