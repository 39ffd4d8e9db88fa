from __future__ import annotations

from math import log

import numpy as np
import paddle
import pytest
from paddle import Tensor

from segtune.models.mask_rcnn.box_coder import Weights, clip_boxes, decode, encode

BOX = [0.0, 0, 10, 20]
MOVED = [5.0, 10, 25, 50]  # by one width and one height; twice as wide and high


def random_boxes(seed: int, *shape: int) -> Tensor:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (*shape, 2))
    return paddle.to_tensor(
        np.concatenate([corners, corners + rng.uniform(1, 40, (*shape, 2))], axis=-1), "float32"
    )


@pytest.mark.parametrize(
    ("weights", "deltas"),
    [
        pytest.param(Weights(), [1, 1, log(2), log(2)], id="plain"),
        pytest.param(Weights(10, 20, 5, 3), [10, 20, 5 * log(2), 3 * log(2)], id="weighted"),
    ],
)
def test_deltas_are_shifts_in_box_sizes_and_logarithms_of_stretches(
    weights: Weights, deltas: list[float]
) -> None:
    encoded = encode(paddle.to_tensor([BOX]), paddle.to_tensor([MOVED]), weights)
    decoded = decode(paddle.to_tensor([BOX]), paddle.to_tensor([deltas]), weights)

    np.testing.assert_allclose(encoded.numpy(), [deltas], rtol=1e-6)
    np.testing.assert_allclose(decoded.numpy(), [MOVED], rtol=1e-6)


@pytest.mark.parametrize("shape", [(7,), (2, 5), (0,)])
def test_decoding_undoes_encoding(shape: tuple[int, ...]) -> None:
    boxes, wanted = random_boxes(0, *shape), random_boxes(1, *shape)
    weights = Weights(10.0, 10.0, 5.0, 5.0)

    decoded = decode(boxes, encode(boxes, wanted, weights), weights)

    assert list(decoded.shape) == [*shape, 4]
    np.testing.assert_allclose(decoded.numpy(), wanted.numpy(), atol=1e-4)


def test_no_deltas_leave_a_box_as_it_is() -> None:
    boxes = random_boxes(0, 9)

    decoded = decode(boxes, paddle.zeros([9, 4]), Weights())

    np.testing.assert_allclose(decoded.numpy(), boxes.numpy(), atol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_a_box_grows_at_most_62_and_a_half_times_but_shrinks_to_nothing(weight: float) -> None:
    boxes = paddle.to_tensor([[-8.0, -8, 8, 8]] * 3)
    logarithms = weight * paddle.to_tensor([[log(62), -100], [log(63), -100], [100, 1000]])
    deltas = paddle.concat([paddle.zeros([3, 2]), logarithms], axis=1)

    decoded = decode(boxes, deltas, Weights(width=weight, height=weight))

    sizes = decoded[:, 2:] - decoded[:, :2]
    np.testing.assert_allclose(sizes.numpy(), [[992, 0], [1000, 0], [1000, 1000]], 1e-5, 1e-6)


def test_boxes_are_clipped_to_the_image_that_they_are_on() -> None:
    boxes = paddle.to_tensor([[[-5.0, -5, 200, 200], [10, 20, 30, 40]]] * 2)

    clipped = clip_boxes(boxes, paddle.to_tensor([[50.0, 100], [30, 25]]))

    inside = [10, 20, 30, 40]
    expected = [[[0, 0, 100, 50], inside], [[0, 0, 25, 30], [10, 20, 25, 30]]]
    np.testing.assert_array_equal(clipped.numpy(), expected)


def test_boxes_beside_the_image_lose_their_area() -> None:
    boxes = paddle.to_tensor([[[60.0, 5, 70, 9], [-9, 5, -1, 9]]])

    clipped = clip_boxes(boxes, paddle.to_tensor([[10.0, 50]]))

    np.testing.assert_array_equal(clipped.numpy(), [[[50, 5, 50, 9], [0, 5, 0, 9]]])


def test_no_boxes_are_clipped_to_none() -> None:
    assert list(clip_boxes(paddle.zeros([2, 0, 4]), paddle.ones([2, 2])).shape) == [2, 0, 4]
