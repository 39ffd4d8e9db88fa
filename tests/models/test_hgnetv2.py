from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from segtune.models.conv_norm import ConvNorm
from segtune.models.hgnetv2 import GatherBlock, HgNetV2, Stage, StageShape, Stem
from tests.models.labelled import randomise

PLAIN = StageShape(middle=4, out=6, num_blocks=1, num_layers=2, light=False, downsample=False)


@pytest.fixture
def backbone() -> HgNetV2:
    return HgNetV2(
        (4, 6),
        [
            PLAIN._replace(out=8),
            PLAIN._replace(out=10, downsample=True),
            PLAIN._replace(out=12, downsample=True, light=True, num_blocks=2),
            PLAIN._replace(out=14, downsample=True, light=True),
        ],
    )


def test_features_have_strides_4_to_32_and_the_channels_of_their_stages(
    backbone: HgNetV2,
) -> None:
    features = backbone(paddle.zeros([2, 3, 64, 96]))

    shapes = [list(feature.shape) for feature in features]
    assert shapes == [[2, 8, 16, 24], [2, 10, 8, 12], [2, 12, 4, 6], [2, 14, 2, 3]]


def test_convolutions_of_the_stages_learn_but_neither_norms_nor_stem(backbone: HgNetV2) -> None:
    paddle.seed(0)
    features = backbone(paddle.randn([1, 3, 64, 64]))
    paddle.add_n([(feature * paddle.randn(feature.shape)).sum() for feature in features]).backward()

    for name, parameter in backbone.named_parameters():
        learns = name.startswith("stages.") and name.endswith("conv.weight")
        assert parameter.stop_gradient != learns, name
        assert (parameter.grad is not None) == learns, name


def test_norms_do_not_follow_the_batch(backbone: HgNetV2) -> None:
    before = {name: tensor.numpy().copy() for name, tensor in backbone.state_dict().items()}

    backbone.train()
    backbone(5 + paddle.randn([2, 3, 32, 32]))

    for name, tensor in backbone.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name], err_msg=name)


def test_a_kernel_of_two_looks_right_and_down() -> None:
    layer = ConvNorm(1, 1, 2)
    layer.eval()
    layer.conv.weight.set_value(paddle.to_tensor([[[[1.0, 10], [100, 1000]]]]))

    output = layer(paddle.to_tensor([[[[1.0, 2], [3, 4]]]]))

    # 1 + 10 * 2 + 100 * 3 + 1000 * 4, then with zeros at the right and the bottom.
    np.testing.assert_allclose(output.numpy(), [[[[4321, 402], [43, 4]]]], rtol=1e-4)


def test_stem_pools_right_and_down_beside_its_convolutions() -> None:
    paddle.seed(0)
    stem = Stem(4, 6)
    randomise(stem, seed=0)
    stem.eval()
    images = paddle.randn([1, 3, 16, 24])
    x = stem.stem1(images)

    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    corners = [padded[:, :, i : i + 8, j : j + 12] for i in (0, 1) for j in (0, 1)]
    pooled = paddle.to_tensor(np.max(corners, axis=0))
    both = paddle.concat([pooled, stem.stem2b(stem.stem2a(x))], axis=1)
    expected = stem.stem4(stem.stem3(both))

    assert list(expected.shape) == [1, 6, 4, 6]
    np.testing.assert_allclose(stem(images).numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("shortcut", [True, False])
def test_a_block_squeezes_its_input_and_the_outputs_of_all_layers(
    light: bool, shortcut: bool
) -> None:
    paddle.seed(0)
    block = GatherBlock(6, PLAIN._replace(light=light), shortcut=shortcut)
    randomise(block, seed=0)
    block.eval()
    x = paddle.randn([1, 6, 5, 4])

    first, second = block.layers
    gathered = paddle.concat([x, first(x), second(first(x))], axis=1)
    expected = block.aggregation_excitation_conv(block.aggregation_squeeze_conv(gathered))
    if shortcut:
        expected = expected + x

    np.testing.assert_allclose(block(x).numpy(), expected.numpy(), atol=1e-5)


def test_light_layers_mix_channels_linearly_then_look_around_in_each() -> None:
    paddle.seed(0)
    (layer, _) = GatherBlock(6, PLAIN._replace(light=True), shortcut=False).layers
    x = paddle.randn([1, 6, 5, 5])

    mixed = F.conv2d(x, layer.conv1.conv.weight)
    looked = F.conv2d(mixed, layer.conv2.conv.weight, padding=2, groups=4)

    assert layer.conv2.conv.weight.shape == [4, 1, 5, 5]
    np.testing.assert_allclose(
        layer(x).numpy(), F.relu(looked).numpy(), atol=1e-3
    )  # norm's epsilon


def test_only_blocks_after_the_first_add_their_input() -> None:
    stage = Stage(6, PLAIN._replace(num_blocks=3))

    assert [block.shortcut for block in stage.blocks] == [False, True, True]
    assert stage.downsample is None
