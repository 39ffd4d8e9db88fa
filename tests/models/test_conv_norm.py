from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from segtune.models.conv_norm import ConvNorm, fused_copy
from tests.models.labelled import randomise


def test_fused_convolution_equals_convolution_and_norm() -> None:
    paddle.seed(0)
    layers = nn.Sequential(ConvNorm(3, 8, 3, stride=2, activation=F.silu), ConvNorm(8, 4, 1))
    randomise(layers, seed=0)
    layers.eval()
    x = paddle.randn([2, 3, 9, 7])

    fused = fused_copy(layers)

    np.testing.assert_allclose(fused(x).numpy(), layers(x).numpy(), atol=1e-6)


def test_fusing_leaves_the_training_network_as_it_is() -> None:
    layers = nn.Sequential(ConvNorm(3, 8, 3))
    before = {name: tensor.numpy().copy() for name, tensor in layers.state_dict().items()}

    fused = fused_copy(layers)
    fused[0].conv.weight.set_value(paddle.zeros_like(fused[0].conv.weight))

    assert layers.training
    assert not fused.training
    assert sorted(fused.state_dict()) == ["0.conv.bias", "0.conv.weight"]
    for name, tensor in layers.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
