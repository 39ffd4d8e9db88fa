from __future__ import annotations

import numpy as np
import paddle

from segtune.models.mask_rt_detr.points import sample_points
from tests.models.mask_rt_detr.units import unit_targets


def test_pixels_and_masks_are_taken_at_the_same_points() -> None:
    paddle.seed(0)
    height, width = 4, 8
    y, x = np.meshgrid(
        (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij"
    )
    # A pixel says where it is, and so does a sample of it, but for those that blend with outside.
    of_image = np.stack([x, y, np.ones_like(x)]).astype(np.float32)
    masks = np.zeros((2, 2, 16, 32))
    masks[:, 0, :, :16] = 1  # left half
    masks[:, 1, :8] = 1  # upper half; padding in the second image
    pixels = paddle.to_tensor(np.stack([of_image, of_image]))

    first, second = sample_points(pixels, unit_targets([[0, 0], [0]], masks), 500)

    assert [samples.pixels.shape for samples in (first, second)] == [[500, 3], [500, 3]]
    assert [samples.masks.shape for samples in (first, second)] == [[2, 500], [1, 500]]
    assert not np.array_equal(first.pixels.numpy(), second.pixels.numpy())
    x, y, share = first.pixels.numpy().T
    inner = share > 1 - 1e-6
    assert inner.sum() > 200
    for mask, where in zip(first.masks.numpy(), (x, y), strict=True):
        clear = inner & (np.abs(where - 0.5) > 1 / 32)  # of the blend at the mask's edge
        np.testing.assert_allclose(mask[clear], (where < 0.5)[clear], atol=1e-5)


def test_points_are_uniform_and_zero_blends_in_at_the_border() -> None:
    paddle.seed(0)
    targets = unit_targets([[0]], np.ones((1, 1, 2, 2)))

    (samples,) = sample_points(paddle.ones([1, 1, 2, 2]), targets, 5000)

    # Along an axis of two cells: 1 in the half between the centres, else 0.75 on average.
    assert float(samples.pixels.mean()) == np.float32(samples.masks.mean())
    np.testing.assert_allclose(float(samples.masks.mean()), 0.875**2, atol=0.01)


def test_an_image_without_instances_has_pixels_but_no_masks() -> None:
    pixels = paddle.ones([2, 3, 4, 4])
    pixels.stop_gradient = False

    samples = sample_points(pixels, unit_targets([[], [0]]), 16)
    samples[0].pixels.sum().backward()

    assert samples[0].masks.shape == [0, 16]
    assert samples[0].pixels.shape == [16, 3]
    assert pixels.grad[0].sum() > 0
    assert pixels.grad[1].sum() == 0
