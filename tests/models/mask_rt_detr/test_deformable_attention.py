from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import Tensor

from segtune.models.mask_rt_detr.deformable_attention import DeformableAttention
from tests.models.labelled import randomise

DIM, HEADS, POINTS = 8, 2, 3


def slow_attention(
    layer: DeformableAttention,
    query: Tensor,
    boxes: Tensor,
    memory: Tensor,
    sizes_hw: Sequence[tuple[int, int]],
) -> Tensor:
    """The textbook form: grid sampling of each level, then a weighted sum."""
    images, queries, _ = query.shape
    levels, width = len(sizes_hw), DIM // HEADS
    shape = [images, queries, HEADS, levels, POINTS]
    offsets = layer.sampling_offsets(query).reshape([*shape, 2])
    shares = F.softmax(layer.attention_weights(query).reshape([*shape[:3], -1])).reshape(shape)
    values = layer.value_proj(memory).reshape([images, -1, HEADS, width])
    of_levels = paddle.split(values, [height * width for height, width in sizes_hw], axis=1)
    centres, sides = boxes[..., None, None, :2], boxes[..., None, None, 2:]
    read = paddle.zeros([images * HEADS, width, queries])
    for level, (size_hw, cells) in enumerate(zip(sizes_hw, of_levels, strict=True)):
        maps = cells.transpose([0, 2, 3, 1]).reshape([images * HEADS, width, *size_hw])
        points = centres + offsets[:, :, :, level] / POINTS * sides / 2  # (N, Q, A, P, 2)
        grid = (2 * points - 1).transpose([0, 2, 1, 3, 4]).flatten(0, 1)
        sampled = F.grid_sample(maps, grid, align_corners=False)  # (N * A, D/A, Q, P)
        weights = shares[:, :, :, level].transpose([0, 2, 1, 3]).flatten(0, 1).unsqueeze(1)
        read = read + (sampled * weights).sum(axis=-1)
    return layer.output_proj(read.reshape([images, DIM, queries]).transpose([0, 2, 1]))


@pytest.mark.parametrize(
    "sizes_hw",
    [
        pytest.param([(4, 6), (2, 3)], id="two levels that are wide"),
        pytest.param([(6, 3), (3, 2), (2, 1)], id="three levels that are high"),
    ],
)
def test_values_and_gradients_equal_the_textbook(sizes_hw: list[tuple[int, int]]) -> None:
    random = np.random.default_rng(1)
    layer = DeformableAttention(DIM, HEADS, len(sizes_hw), POINTS)
    randomise(layer, seed=1)
    bias = layer.sampling_offsets.bias
    bias.set_value(3 * random.standard_normal(bias.shape).astype(np.float32))
    num_cells = sum(height * width for height, width in sizes_hw)
    arrays = [
        random.standard_normal((2, 5, DIM)),
        random.uniform(0, 1, (2, 5, 4)),  # boxes reach over the border
        random.standard_normal((2, num_cells, DIM)),
    ]
    weights = paddle.to_tensor(random.standard_normal((2, 5, DIM)).astype(np.float32))
    results = []
    for attend in (layer, lambda *inputs: slow_attention(layer, *inputs)):
        layer.clear_gradients()
        inputs = [paddle.to_tensor(a.astype(np.float32), stop_gradient=False) for a in arrays]
        output = attend(*inputs, sizes_hw)
        (output * weights).sum().backward()
        learned = [tensor.grad.numpy() for tensor in (*inputs, *layer.parameters())]
        results.append((output.numpy(), *learned))

    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-4)


def test_offsets_begin_on_a_ray_of_each_head_one_step_a_point() -> None:
    layer = DeformableAttention(16, num_heads=8, num_levels=3, num_points=4)

    rays = layer.sampling_offsets.bias.numpy().reshape(8, 3, 4, 2)

    right_then_clockwise = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    for level in range(3):
        for point in range(4):
            expected = np.asarray(right_then_clockwise) * (point + 1)
            np.testing.assert_allclose(rays[:, level, point], expected, atol=1e-6)


def test_weights_begin_equal_whatever_the_query() -> None:
    layer = DeformableAttention(16, num_heads=8, num_levels=3, num_points=4)

    for part in (layer.sampling_offsets.weight, layer.attention_weights.weight):
        assert not part.numpy().any()
    for part in (layer.attention_weights, layer.value_proj, layer.output_proj):
        assert not part.bias.numpy().any()
