from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import Tensor

from segtune.models.mask_rt_detr.bilinear import four_cells, sample_map


def grid_sampled(cells: Tensor, size_hw: tuple[int, int], points: Tensor) -> Tensor:
    """The same by Paddle's own operator, which counts from -1 to 1."""
    maps = cells.t().reshape([1, -1, *size_hw])
    grid = (2 * points - 1).reshape([1, 1, -1, 2])
    return F.grid_sample(maps, grid, align_corners=False)[0, :, 0].t()


@pytest.mark.parametrize(
    ("x", "value"),
    [
        pytest.param(0.25, 10, id="centre of the first cell"),
        pytest.param(0.5, 15, id="between the cells"),
        pytest.param(0.625, 17.5, id="three quarters of the way"),
        pytest.param(0.0, 5, id="half outside"),
        pytest.param(1.25, 0, id="a whole cell outside"),
        pytest.param(-9.0, 0, id="far outside"),
    ],
)
def test_values_between_cells_are_blended_and_outside_is_zero(x: float, value: float) -> None:
    cells = paddle.to_tensor([[10], [20]], dtype="uint8")  # a map of one row, two columns

    sampled = sample_map(cells, (1, 2), paddle.to_tensor([[x, 0.5]]))

    assert sampled.dtype == paddle.float32
    np.testing.assert_allclose(sampled.numpy(), [[value]], rtol=1e-6)


@pytest.mark.parametrize("size_hw", [(4, 7), (5, 2), (1, 1)])
def test_values_and_gradients_equal_grid_sampling(size_hw: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((size_hw[0] * size_hw[1], 3)).astype(np.float32)
    places = random.uniform(-0.3, 1.3, (60, 2)).astype(np.float32)
    weights = paddle.to_tensor(random.standard_normal((60, 3)).astype(np.float32))
    results = []
    for sample in (sample_map, grid_sampled):
        cells = paddle.to_tensor(values, stop_gradient=False)
        points = paddle.to_tensor(places, stop_gradient=False)
        sampled = sample(cells, size_hw, points)
        (sampled * weights).sum().backward()
        results.append((sampled.numpy(), cells.grad.numpy(), points.grad.numpy()))

    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-4)


@pytest.mark.parametrize("x", [float("nan"), float("inf"), 1e30])
def test_points_that_are_nowhere_stand_for_cells_of_the_map_all_the_same(x: float) -> None:
    cells, _ = four_cells(paddle.to_tensor([[x, 0.5]]), paddle.to_tensor([[3.0, 2.0]]))

    assert cells.tolist() == [[0, 0, 3, 3]]


def test_a_point_that_is_not_a_number_has_no_value() -> None:
    cells = paddle.ones([6, 1])

    assert sample_map(cells, (2, 3), paddle.to_tensor([[float("nan"), 0.5]])).isnan().all()
