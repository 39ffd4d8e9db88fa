from __future__ import annotations

import numpy as np
import paddle

from segtune.models.conv_norm import fused_copy
from segtune.models.cspresnet import BasicBlock, CspResNet
from tests.models.labelled import randomise


def test_features_have_strides_8_16_and_32() -> None:
    backbone = CspResNet(4, stage_channels=[8, 16, 24, 32], stage_blocks=[1, 1, 1, 1])
    backbone.eval()

    features = backbone(paddle.zeros([2, 3, 64, 96]))

    shapes = [list(feature.shape) for feature in features]
    assert shapes == [[2, 16, 8, 12], [2, 24, 4, 6], [2, 32, 2, 3]]


def test_fused_block_equals_the_block() -> None:
    paddle.seed(0)
    block = BasicBlock(4, shortcut=True, weighted=True)
    randomise(block, seed=0)
    block.eval()
    x = paddle.randn([1, 4, 6, 6])

    np.testing.assert_allclose(fused_copy(block)(x).numpy(), block(x).numpy(), atol=1e-5)
