from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.attention import SelfAttention, grid_positions
from tests.models.labelled import randomise

HIDDEN = float("-inf")


def paddles_own(layer: SelfAttention, dim: int) -> nn.MultiHeadAttention:
    own = nn.MultiHeadAttention(dim, layer.num_heads)
    weights = np.split(layer.in_proj_weight.numpy(), 3, axis=1)
    biases = np.split(layer.in_proj_bias.numpy(), 3)
    parts = (own.q_proj, own.k_proj, own.v_proj)
    for part, weight, bias in zip(parts, weights, biases, strict=True):
        part.weight.set_value(weight)
        part.bias.set_value(bias)
    own.out_proj.set_state_dict(layer.out_proj.state_dict())
    return own


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(None, id="all see all"),
        pytest.param([[0, HIDDEN, 0], [0, 0, HIDDEN], [HIDDEN, HIDDEN, 0]], id="some are hidden"),
    ],
)
@pytest.mark.parametrize("num_positions", [1, 2], ids=["shared positions", "own positions"])
def test_attention_equals_paddles_own(mask: list[list[float]] | None, num_positions: int) -> None:
    paddle.seed(0)
    layer = SelfAttention(8, num_heads=2)
    randomise(layer, seed=0)
    layer.in_proj_weight.set_value(paddle.randn([8, 24]))  # so that logits differ
    x, positions = paddle.randn([2, 3, 8]), paddle.randn([num_positions, 3, 8])
    added: Tensor | None = None if mask is None else paddle.to_tensor(mask)
    placed = x + positions

    expected = paddles_own(layer, 8)(placed, placed, x, added)

    np.testing.assert_allclose(layer(x, positions, added).numpy(), expected.numpy(), atol=1e-5)


def test_positions_are_sines_and_cosines_of_row_then_column() -> None:
    positions = grid_positions(2, 3, 8).numpy()

    assert positions.shape == (6, 8)
    np.testing.assert_allclose(positions[0], [0, 0, 1, 1, 0, 0, 1, 1])
    # Token 5 is in row 1, column 2; the frequencies are 1 and 1 / 100.
    phases = np.asarray([[1, 0.01], [2, 0.02]])
    row, column = (np.concatenate([np.sin(phase), np.cos(phase)]) for phase in phases)
    np.testing.assert_allclose(positions[5], [*row, *column], atol=1e-6)
    np.testing.assert_array_equal(positions[2, :4], positions[0, :4])  # one row
    np.testing.assert_array_equal(positions[2, 4:], positions[5, 4:])  # one column
