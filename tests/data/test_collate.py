from __future__ import annotations

import numpy as np

from segtune.data.collate import collate
from segtune.data.dataset import Sample
from segtune.preprocess import PreprocessSpec

SPEC = PreprocessSpec(size_hw=(8, 8))


def _sample(count: int, height: int = 8, width: int = 8, image_id: int = 0) -> Sample:
    return Sample(
        image=np.full((height, width, 3), 255, np.uint8),
        boxes=np.full((count, 4), 3, np.float32),
        labels=np.full(count, 5, np.int64),
        masks=np.ones((count, -(-height // 4), -(-width // 4)), np.uint8),
        mask_stride=4,
        image_id=image_id,
    )


def test_images_with_fewer_instances_are_filled_up_with_invalid_ones() -> None:
    batch = collate([_sample(1, image_id=4), _sample(3, image_id=9), _sample(0, image_id=2)], SPEC)

    assert batch.valid.tolist() == [[True, False, False], [True] * 3, [False] * 3]
    assert batch.boxes[..., 0].tolist() == [[3, 0, 0], [3, 3, 3], [0, 0, 0]]
    assert batch.labels.tolist() == [[5, 0, 0], [5, 5, 5], [0, 0, 0]]
    assert batch.masks.sum(axis=(2, 3)).tolist() == [[4, 0, 0], [4, 4, 4], [0, 0, 0]]
    assert batch.image_ids == [4, 9, 2]


def test_images_are_normalised_with_the_channel_first() -> None:
    sample = _sample(0)
    sample.image[2, 3] = (51, 102, 204)

    batch = collate([sample], SPEC)

    assert batch.images.shape == (1, 3, 8, 8)
    np.testing.assert_allclose(batch.images[0, :, 2, 3], [0.2, 0.4, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(batch.images[0], SPEC.normalise(sample.image))


def test_a_batch_without_instances_has_room_for_none() -> None:
    batch = collate([_sample(0), _sample(0)], SPEC)

    assert batch.boxes.shape == (2, 0, 4)
    assert batch.labels.shape == (2, 0)
    assert batch.masks.shape == (2, 0, 2, 2)
    assert batch.valid.shape == (2, 0)


def test_smaller_images_are_padded_to_the_right_and_below() -> None:
    spec = PreprocessSpec(size_hw=(8, 12), keep_ratio=True, pad_stride=8)

    batch = collate([_sample(1, 8, 12), _sample(1, 12, 6)], spec)

    assert batch.images.shape == (2, 3, 16, 16)
    assert batch.images[0, 0].sum() == 8 * 12
    assert batch.images[1, 0, :12, :6].all()
    assert batch.masks.shape == (2, 1, 4, 4)
    assert batch.masks[0, 0].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert batch.sizes_hw.tolist() == [[8, 12], [12, 6]]


def test_types_are_those_that_the_network_takes() -> None:
    batch = collate([_sample(1)], SPEC)

    arrays = {name: array for name, array in vars(batch).items() if name != "image_ids"}
    assert {name: array.dtype for name, array in arrays.items()} == {
        "images": np.float32,
        "boxes": np.float32,
        "labels": np.int64,
        "masks": np.uint8,
        "valid": np.bool_,
        "sizes_hw": np.float32,
    }
