from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from segtune.models.upsample import BilinearX2, NearestX2, linear_weights


@pytest.mark.parametrize("size_hw", [(3, 5), (4, 2), (1, 1), (1, 6)])
@pytest.mark.parametrize(("layer", "mode"), [(BilinearX2(), "bilinear"), (NearestX2(), "nearest")])
def test_enlargement_equals_paddles_interpolation(
    layer: paddle.nn.Layer, mode: str, size_hw: tuple[int, int]
) -> None:
    paddle.seed(0)
    x = paddle.randn([2, 3, *size_hw])

    expected = F.interpolate(x, scale_factor=2, mode=mode)

    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), atol=1e-6)


def test_positions_take_from_the_two_nearest_centres() -> None:
    positions = paddle.to_tensor([[0.0, 1, 2, 3]])

    weights = linear_weights(positions, 4, 2)

    # Centres of cells are at 0.5 and 2.5 in numbers of inputs.
    np.testing.assert_allclose(weights.numpy(), [[[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]])


def test_every_row_may_have_inputs_of_its_own_number() -> None:
    positions = paddle.to_tensor([[0.0, 1, 2, 3]])
    numbers = paddle.to_tensor([4.0, 2, 8]).reshape([3, 1, 1])

    weights = linear_weights(positions, numbers, 2)

    for own, number in zip(weights, (4, 2, 8), strict=True):
        expected = linear_weights(positions, number, 2)[0]
        np.testing.assert_allclose(own.numpy(), expected.numpy(), atol=1e-6)
    # Two inputs over two cells: each has its own, and positions past the end keep the last.
    np.testing.assert_allclose(weights[1].numpy(), [[1, 0], [0, 1], [0, 1], [0, 1]], atol=1e-6)
