from __future__ import annotations

from math import log

import numpy as np
import paddle
import pytest
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.decoder import Decoder, DecoderLayer, Memory, inverse_sigmoid
from tests.models.labelled import randomise

DIM = 16
SIZES_HW = [(4, 6), (2, 3), (1, 2)]
LN3 = log(3)


def memory(num_images: int = 1) -> Memory:
    return Memory(paddle.randn([num_images, 24 + 6 + 2, DIM]), SIZES_HW)


@pytest.mark.parametrize(
    ("value", "logit"),
    [(0.5, 0.0), (0.75, LN3), (0.25, -LN3), (0, -log(1e5)), (1, log(1e5)), (-3, -log(1e5))],
)
def test_inverse_sigmoid_has_limits(value: float, logit: float) -> None:
    np.testing.assert_allclose(inverse_sigmoid(paddle.to_tensor([value])), [logit], atol=1e-5)


def test_layers_begin_equal_but_learn_apart() -> None:
    first, *others = Decoder(DIM, 3).layers

    assert len(others) == 2
    for other in others:
        for own, copied in zip(first.parameters(), other.parameters(), strict=True):
            assert own is not copied
            np.testing.assert_array_equal(own.numpy(), copied.numpy())


def test_training_and_prediction_refine_alike() -> None:
    paddle.seed(0)
    decoder = Decoder(DIM, 3)
    randomise(decoder, seed=0)
    place, shift = nn.Linear(4, DIM), nn.Linear(DIM, 4)
    inputs = paddle.randn([2, 5, DIM]), paddle.rand([2, 5, 4]), memory(2), place, shift

    queries, boxes = decoder(*inputs)
    all_queries, all_boxes = decoder.every_layer(*inputs, None)

    assert len(all_queries) == len(all_boxes) == 3
    np.testing.assert_allclose(all_queries[-1].numpy(), queries.numpy(), atol=1e-5)
    np.testing.assert_allclose(all_boxes[-1].numpy(), boxes.numpy(), atol=1e-5)


class Still(nn.Layer):
    """A layer that leaves queries as they are."""

    def forward(self, x: Tensor, *_others: object) -> Tensor:
        return x


def test_a_box_learns_from_its_own_shift_and_the_one_before() -> None:
    decoder = Decoder(DIM, 3)
    decoder.layers = nn.LayerList([Still() for _ in range(3)])
    shifts = [paddle.full([1, 1, 4], LN3) for _ in range(3)]
    for shift in shifts:
        shift.stop_gradient = False
    following = iter(shifts)

    _, boxes = decoder.every_layer(
        paddle.zeros([1, 1, DIM]),
        paddle.full([1, 1, 4], 0.5),
        memory(),
        lambda boxes: boxes,
        lambda _queries: next(following),
        None,
    )

    # Odds of 1 become 3, 9 and 27.
    for box, expected in zip(boxes, (3 / 4, 9 / 10, 27 / 28), strict=True):
        np.testing.assert_allclose(box.numpy(), np.full((1, 1, 4), expected), rtol=1e-5)
    for box, reach in zip(boxes, ([0], [0, 1], [1, 2]), strict=True):
        slopes = paddle.grad(box.sum(), shifts, retain_graph=True, allow_unused=True)
        assert [i for i, slope in enumerate(slopes) if slope is not None and slope.any()] == reach
        slope_of_sigmoid = (box * (1 - box)).numpy()
        for i in reach:
            np.testing.assert_allclose(slopes[i].numpy(), slope_of_sigmoid, rtol=1e-4)


def test_a_layer_looks_at_boxes_without_gradient() -> None:
    seen: list[Tensor] = []

    class Looking(Still):
        def forward(self, x: Tensor, _positions: Tensor, boxes: Tensor, *_: object) -> Tensor:
            seen.append(boxes)
            return x

    decoder = Decoder(DIM, 3)
    decoder.layers = nn.LayerList([Looking() for _ in range(3)])
    change = paddle.full([1, 1, 4], LN3)
    change.stop_gradient = False

    decoder.every_layer(
        paddle.zeros([1, 1, DIM]),
        paddle.full([1, 1, 4], 0.5),
        memory(),
        lambda boxes: boxes,
        lambda _queries: change,
        None,
    )

    assert [boxes.stop_gradient for boxes in seen] == [True] * 3
    np.testing.assert_allclose([float(b.max()) for b in seen], [0.5, 0.75, 0.9], rtol=1e-5)


def test_a_query_does_not_see_what_the_mask_hides() -> None:
    paddle.seed(0)
    layer = DecoderLayer(DIM)
    queries, boxes = paddle.randn([1, 2, DIM]), paddle.rand([1, 2, 4])
    queries.stop_gradient = False
    hidden = float("-inf")
    mask = paddle.to_tensor([[0.0, hidden], [0.0, 0.0]])  # the first does not see the second

    output = layer(queries, paddle.zeros([1, 2, DIM]), boxes, memory(), mask)

    weights = paddle.randn([DIM])
    for row, sees_the_other in ((0, False), (1, True)):
        (slope,) = paddle.grad((output[0, row] * weights).sum(), queries, retain_graph=True)
        assert bool((slope[0, 1 - row].abs() > 1e-6).any()) == sees_the_other
