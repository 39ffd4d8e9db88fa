from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.box_ops import (
    box_areas,
    boxes_around,
    giou_losses,
    pairwise_iou,
    side_distances,
)


def test_pairwise_iou_compares_boxes_of_the_same_image() -> None:
    first = paddle.to_tensor([[[0.0, 0, 2, 2]], [[0.0, 0, 4, 4]]])  # (2, 1, 4)
    second = paddle.to_tensor([[[1.0, 0, 3, 2], [5, 5, 6, 6]], [[0, 0, 4, 4], [0, 0, 2, 4]]])

    iou = pairwise_iou(first, second)

    np.testing.assert_allclose(iou.numpy(), [[[1 / 3, 0]], [[1, 0.5]]], atol=1e-6)


def test_padded_boxes_overlap_nothing() -> None:
    padding = paddle.zeros([1, 1, 4])

    assert pairwise_iou(padding, padding).numpy().item() == 0


@pytest.mark.parametrize(
    ("box", "target", "loss"),
    [
        pytest.param([0.0, 0, 2, 2], [0.0, 0, 2, 2], 0.0, id="the same box"),
        pytest.param([0.0, 0, 1, 1], [2.0, 0, 3, 1], 1 + 1 / 3, id="one box width apart"),
        pytest.param([0.0, 0, 2, 2], [1.0, 0, 3, 2], 1 - 1 / 3, id="half shared, hull is union"),
    ],
)
def test_giou_loss(box: list[float], target: list[float], loss: float) -> None:
    losses = giou_losses(paddle.to_tensor([box]), paddle.to_tensor([target]))

    np.testing.assert_allclose(losses.numpy(), [loss], atol=1e-6)


def test_giou_loss_of_an_empty_box_has_a_finite_gradient() -> None:
    box = paddle.to_tensor([[1.0, 1, 1, 1]], stop_gradient=False)

    giou_losses(box, paddle.to_tensor([[3.0, 3, 5, 5]])).sum().backward()

    assert np.isfinite(box.grad.numpy()).all()


def test_distances_lead_from_a_point_to_its_box_and_back() -> None:
    points = paddle.to_tensor([[5.0, 6.0]])
    boxes = paddle.to_tensor([[1.0, 4, 8, 16]])

    distances = side_distances(points, boxes)

    np.testing.assert_array_equal(distances.numpy(), [[4, 2, 3, 10]])
    np.testing.assert_array_equal(boxes_around(points, distances).numpy(), boxes.numpy())


def test_no_boxes_have_no_areas() -> None:
    assert box_areas(paddle.zeros([0, 4])).shape == [0]
    assert giou_losses(paddle.zeros([0, 4]), paddle.zeros([0, 4])).shape == [0]
