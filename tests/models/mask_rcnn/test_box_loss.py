from __future__ import annotations

from math import log

import numpy as np
import paddle
import pytest
from paddle import Tensor

from segtune.models.mask_rcnn.box_coder import Weights
from segtune.models.mask_rcnn.box_loss import summed_l1

BOXES = [[0.0, 0, 10, 20], [5, 5, 5, 9]]  # the second one has no area
WANTED = [[5.0, 10, 25, 50], [0, 0, 0, 0]]


def loss_and_gradient(
    boxes: Tensor, wanted: Tensor, learns: list[bool], weights: Weights
) -> tuple[float, Tensor]:
    deltas = paddle.zeros([len(learns), 4])
    deltas.stop_gradient = False
    loss = summed_l1(deltas, boxes, wanted, paddle.to_tensor(learns, "bool"), weights)
    loss.backward()
    return loss.item(), deltas.grad


@pytest.mark.parametrize(
    ("weights", "distance"),
    [
        pytest.param(Weights(), 2 + 2 * log(2), id="plain"),
        pytest.param(Weights(10, 10, 5, 5), 20 + 10 * log(2), id="weighted"),
    ],
)
def test_loss_is_the_sum_over_the_rows_that_learn(weights: Weights, distance: float) -> None:
    boxes, wanted = paddle.to_tensor(BOXES), paddle.to_tensor(WANTED)

    loss, gradient = loss_and_gradient(boxes, wanted, [True, False], weights)

    assert loss == pytest.approx(distance)
    np.testing.assert_array_equal(gradient.numpy(), [[-1] * 4, [0] * 4])


def test_rows_add_up() -> None:
    boxes, wanted = (paddle.to_tensor([rows[0]] * 3) for rows in (BOXES, WANTED))

    loss, _ = loss_and_gradient(boxes, wanted, [True] * 3, Weights())

    assert loss == pytest.approx(3 * (2 + 2 * log(2)))


@pytest.mark.parametrize("num_rows", [2, 0])
def test_where_nothing_learns_the_loss_is_zero(num_rows: int) -> None:
    boxes, wanted = (paddle.to_tensor(rows)[:num_rows] for rows in (BOXES, WANTED))

    loss, gradient = loss_and_gradient(boxes, wanted, [False] * num_rows, Weights())

    assert loss == 0
    np.testing.assert_array_equal(gradient.numpy(), np.zeros((num_rows, 4)))
