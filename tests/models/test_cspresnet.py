from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from segtune.models.conv_norm import fused_copy
from segtune.models.cspresnet import BasicBlock, CspResNet, RepVggBlock
from tests.models.labelled import randomise


def test_features_have_strides_8_16_and_32() -> None:
    backbone = CspResNet(4, stage_channels=[8, 16, 24, 32], stage_blocks=[1, 1, 1, 1])
    backbone.eval()

    features = backbone(paddle.zeros([2, 3, 64, 96]))

    shapes = [list(feature.shape) for feature in features]
    assert shapes == [[2, 16, 8, 12], [2, 24, 4, 6], [2, 32, 2, 3]]


@pytest.mark.parametrize(
    ("alpha", "factor"),
    [
        pytest.param(0.5, 0.5, id="a positive factor scales"),
        pytest.param(0.0, 1.0, id="zero counts in full, as upstream"),
        pytest.param(-0.5, 1.0, id="a negative factor counts in full, as upstream"),
    ],
)
def test_alpha_scales_the_side_branch_while_positive(alpha: float, factor: float) -> None:
    paddle.seed(0)
    block = RepVggBlock(4, weighted=True)
    block.eval()
    block.alpha.set_value(paddle.to_tensor([alpha]))
    x = paddle.randn([1, 4, 5, 5])

    expected = F.silu(block.conv1(x) + factor * block.conv2(x))

    np.testing.assert_allclose(block(x).numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_fused_block_equals_the_block(weighted: bool, seed: int) -> None:
    paddle.seed(seed)
    block = BasicBlock(4, shortcut=True, weighted=weighted)
    randomise(block, seed=seed)
    block.eval()
    x = paddle.randn([1, 4, 6, 6])

    np.testing.assert_allclose(fused_copy(block)(x).numpy(), block(x).numpy(), atol=1e-5)
