from __future__ import annotations

import paddle
import pytest
from paddle import nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.frozen import STATISTICS, frozen_parts, thaw
from segtune.zoo import build_model


class Network(nn.Layer):
    """A backbone with a frozen convolution and two frozen norms, and a head with one of each."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            ConvNorm(2, 2, 1, frozen_norm=True), ConvNorm(2, 2, 1, frozen_norm=True)
        )
        self.backbone[0].conv.weight.stop_gradient = True
        self.head = nn.Sequential(ConvNorm(2, 2, 1, frozen_norm=True), ConvNorm(2, 2, 1))
        self.head[1].conv.weight.stop_gradient = True  # a constant, as nothing published it


FROZEN = [
    "backbone.0.conv.weight",
    "backbone.0.bn.weight",
    "backbone.0.bn.bias",
    "backbone.1.bn.weight",
    "backbone.1.bn.bias",
    "head.0.bn.weight",
    "head.0.bn.bias",
]


def test_frozen_are_norms_anywhere_and_all_of_the_backbone_but_no_statistics() -> None:
    assert frozen_parts(Network()) == FROZEN


def test_thawed_parameters_get_a_gradient_and_norms_follow_the_batch() -> None:
    paddle.seed(0)
    network = Network()
    thaw(network)
    parameters = dict(network.named_parameters())
    statistics = ["backbone.0.bn._mean", "backbone.1.bn._variance", "head.0.bn._variance"]
    before = {name: parameters[name].numpy().copy() for name in statistics}

    output = network.head(network.backbone(1 + paddle.randn([2, 2, 4, 4])))
    (output * paddle.randn(output.shape)).sum().backward()

    assert frozen_parts(network) == []
    assert all(parameters[name].grad is not None for name in FROZEN)
    assert all((parameters[name].numpy() != before[name]).all() for name in statistics)
    assert parameters["backbone.0.bn._mean"].stop_gradient
    assert parameters["head.1.conv.weight"].stop_gradient


def test_frozen_norms_do_not_follow_the_batch() -> None:
    paddle.seed(0)
    network = Network()

    network.head(network.backbone(1 + paddle.randn([2, 2, 4, 4])))

    assert not network.backbone[0].bn._mean.numpy().any()
    assert (network.backbone[1].bn._variance.numpy() == 1).all()
    assert not network.head[0].bn._mean.numpy().any()
    assert network.head[1].bn._mean.numpy().any()


@pytest.mark.parametrize(
    ("name", "num_frozen", "constants"),
    [
        # 53 norms of two, of which the box head has ten; convolutions of the stem and of res2.
        pytest.param("MaskRCNN-ResNet50", 2 * 53 + 11, [], id="norms in the box head"),
        # Of the neck and the transformer, nothing.
        pytest.param("Mask-RT-DETR-S", 89, [], id="norms of the backbone"),
        pytest.param("PP-YOLOE_seg-S", 0, ["yolo_head.proj_conv.weight"], id="nothing frozen"),
    ],
)
def test_a_thawed_model_learns_all_but_its_constants(
    name: str, num_frozen: int, constants: list[str]
) -> None:
    network = build_model(name, 3)

    assert len(frozen_parts(network)) == num_frozen
    thaw(network)

    assert constants == [
        name
        for name, parameter in network.named_parameters()
        if parameter.stop_gradient and not name.endswith(STATISTICS)
    ]
