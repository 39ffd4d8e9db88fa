from __future__ import annotations

import paddle
from paddle import nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.frozen import frozen_parts, thaw


class Network(nn.Layer):
    """A backbone with a frozen convolution and two frozen norms, and a head that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            ConvNorm(2, 2, 1, frozen_norm=True), ConvNorm(2, 2, 1, frozen_norm=True)
        )
        self.backbone[0].conv.weight.stop_gradient = True
        self.head = ConvNorm(2, 2, 1)
        self.head.conv.weight.stop_gradient = True  # not of the backbone


FROZEN = [
    "backbone.0.conv.weight",
    "backbone.0.bn.weight",
    "backbone.0.bn.bias",
    "backbone.1.bn.weight",
    "backbone.1.bn.bias",
]


def test_frozen_are_the_backbones_parameters_without_gradient_but_no_statistics() -> None:
    assert frozen_parts(Network()) == FROZEN


def test_thawed_parameters_get_a_gradient_and_norms_follow_the_batch() -> None:
    network = Network()
    thaw(network)
    parameters = dict(network.named_parameters())
    statistics = ["backbone.0.bn._mean", "backbone.1.bn._variance"]
    before = {name: parameters[name].numpy().copy() for name in statistics}

    paddle.seed(0)
    output = network.head(network.backbone(1 + paddle.randn([2, 2, 4, 4])))
    (output * paddle.randn(output.shape)).sum().backward()

    assert frozen_parts(network) == []
    assert all(parameters[name].grad is not None for name in FROZEN)
    assert all((parameters[name].numpy() != before[name]).all() for name in statistics)
    assert parameters["backbone.0.bn._mean"].stop_gradient
    assert parameters["head.conv.weight"].stop_gradient


def test_frozen_norms_do_not_follow_the_batch() -> None:
    network = Network()

    network.backbone(1 + paddle.randn([2, 2, 4, 4]))

    assert not network.backbone[0].bn._mean.numpy().any()
    assert (network.backbone[1].bn._variance.numpy() == 1).all()
