from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from segtune.models.resnet import Bottleneck, ResNet, ResStage, Variant

NARROW = 1  # channels of a group in res2; what stages return stays as wide as ever


def shapes(layer: nn.Layer) -> dict[str, list[int]]:
    """Return the shapes of the convolutions."""
    return {
        name.removesuffix(".weight"): list(tensor.shape)
        for name, tensor in layer.state_dict().items()
        if name.endswith("conv.weight")
    }


def downsampling_block(variant: Variant) -> Bottleneck:
    return Bottleneck(1, width=2, out_channels=4, stride=2, groups=1, variant=variant)


@pytest.mark.parametrize("variant", ["b", "d"])
def test_features_have_strides_4_to_32_and_the_channels_of_their_stages(variant: Variant) -> None:
    backbone = ResNet(50, variant, base_width=NARROW)

    features = backbone(paddle.zeros([2, 3, 64, 96]))

    assert [list(feature.shape) for feature in features] == [
        [2, 256, 16, 24],
        [2, 512, 8, 12],
        [2, 1024, 4, 6],
        [2, 2048, 2, 3],
    ]


@pytest.mark.parametrize(("depth", "num_blocks"), [(50, [3, 4, 6, 3]), (101, [3, 4, 23, 3])])
def test_depth_is_the_number_of_convolutions_on_the_way(depth: int, num_blocks: list[int]) -> None:
    backbone = ResNet(depth, "b", base_width=NARROW)

    stages = [layer for name, layer in backbone.named_children() if name.startswith("res")]
    assert [len(list(stage.children())) for stage in stages] == num_blocks
    # Three convolutions a block, the stem's, and the linear layer of a classifier.
    assert 3 * sum(num_blocks) + 2 == depth


def test_blocks_have_letters_but_numbers_where_they_are_many() -> None:
    names = {
        num_blocks: [
            name for name, _ in ResStage(4, 8, num_blocks, "b", base_width=NARROW).named_children()
        ]
        for num_blocks in (6, 23)
    }

    assert names[6] == ["res4a", "res4b", "res4c", "res4d", "res4e", "res4f"]
    assert names[23] == ["res4a", *(f"res4b{number}" for number in range(1, 23))]


def test_stages_behind_the_last_returned_one_are_not_built() -> None:
    backbone = ResNet(50, "b", base_width=NARROW, stages=(4,))

    (feature,) = backbone(paddle.zeros([1, 3, 64, 96]))

    assert [name for name, _ in backbone.named_children()] == ["conv1", "res2", "res3", "res4"]
    assert list(feature.shape) == [1, 1024, 4, 6]


def test_convolutions_from_res3_on_learn_but_neither_norms_nor_what_comes_before() -> None:
    paddle.seed(0)
    backbone = ResNet(50, "d", base_width=NARROW)
    features = backbone(paddle.randn([1, 3, 32, 32]))
    paddle.add_n([(feature * paddle.randn(feature.shape)).sum() for feature in features]).backward()

    for name, parameter in backbone.named_parameters():
        learns = name.startswith(("res3.", "res4.", "res5.")) and name.endswith("conv.weight")
        assert parameter.stop_gradient != learns, name
        assert (parameter.grad is not None) == learns, name


def test_norms_do_not_follow_the_batch() -> None:
    paddle.seed(0)
    backbone = ResNet(50, "b", base_width=NARROW)
    before = {name: tensor.numpy().copy() for name, tensor in backbone.state_dict().items()}

    backbone.train()
    backbone(5 + paddle.randn([2, 3, 32, 32]))

    for name, tensor in backbone.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name], err_msg=name)


def test_variant_b_begins_with_one_large_convolution_and_d_with_three_small_ones() -> None:
    stems = {
        variant: shapes(ResNet(50, variant, base_width=NARROW, stages=(2,)).conv1)
        for variant in ("b", "d")
    }

    assert stems["b"] == {"conv1.conv": [64, 3, 7, 7]}
    assert stems["d"] == {
        "conv1_1.conv": [32, 3, 3, 3],
        "conv1_2.conv": [32, 32, 3, 3],
        "conv1_3.conv": [64, 32, 3, 3],
    }


@pytest.mark.parametrize(("stage", "in_channels", "width"), [(2, 64, 256), (5, 1024, 2048)])
def test_groups_and_their_width_shape_the_convolution_in_the_middle(
    stage: int, in_channels: int, width: int
) -> None:
    built = shapes(ResStage(stage, in_channels, 1, "d", groups=64, base_width=4))

    assert built[f"res{stage}a.branch2b.conv"] == [width, width // 64, 3, 3]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        pytest.param("b", [[0, 2], [6, 8]], id="b takes every second cell"),
        # The windows at the right and the bottom have two cells and, in the corner, one.
        pytest.param("d", [[2, 3.5], [6.5, 8]], id="d averages the cells that are there"),
    ],
)
def test_shortcut_halves_a_feature_of_odd_size(
    variant: Variant, expected: list[list[float]]
) -> None:
    block = downsampling_block(variant)
    assert block.short is not None
    (convolution,) = [layer for layer in block.short.sublayers() if isinstance(layer, nn.Conv2D)]
    convolution.weight.set_value(paddle.ones([4, 1, 1, 1]))
    x = paddle.arange(9, dtype="float32").reshape([1, 1, 3, 3])

    shortcut = block.short(x)

    assert list(block(x).shape) == [1, 4, 2, 2]
    np.testing.assert_allclose(shortcut.numpy(), [[expected] * 4], rtol=1e-5)  # norm's epsilon


def test_shortcut_that_keeps_the_size_is_a_convolution_in_both_variants() -> None:
    stages = [ResStage(2, 64, 2, variant, base_width=NARROW) for variant in ("b", "d")]

    for stage in stages:
        assert shapes(stage.res2a.short) == {"conv": [256, 64, 1, 1]}
        assert stage.res2b.short is None


@pytest.mark.parametrize("variant", ["b", "d"])
def test_resolution_is_halved_in_the_convolution_of_three(variant: Variant) -> None:
    block = downsampling_block(variant)

    sizes = []
    x = paddle.zeros([1, 1, 6, 8])
    for layer in (block.branch2a, block.branch2b, block.branch2c):
        x = layer(x)
        sizes.append(list(x.shape[1:]))

    assert sizes == [[2, 6, 8], [2, 3, 4], [4, 3, 4]]


def test_a_block_adds_its_input_before_the_last_activation() -> None:
    block = Bottleneck(4, width=2, out_channels=4, stride=1, groups=1, variant="b")
    branch = {"2a": 1.0, "2b": 0.0, "2c": 1.0}
    for name, value in branch.items():
        weight = getattr(block, f"branch{name}").conv.weight
        weight.set_value(paddle.full(weight.shape, value))
    block.branch2c.norm.bias.set_value(paddle.to_tensor([-1.0, -1, 2, 2]))
    x = paddle.to_tensor([3.0, 0.5, -1, -3]).reshape([1, 4, 1, 1])

    np.testing.assert_allclose(block(x).numpy().ravel(), [2, 0, 1, 0], atol=1e-6)
