from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import Tensor, nn

from segtune.models.mask_rcnn.fpn import CHANNELS, FeaturePyramid


@pytest.fixture
def pyramid() -> FeaturePyramid:
    """A pyramid whose convolutions copy the first channel and leave the others empty."""
    pyramid = FeaturePyramid([1, 2, 3, 4])
    for layer in pyramid.sublayers():
        if isinstance(layer, nn.Conv2D):
            kernel = np.zeros(layer.weight.shape, np.float32)
            middle = kernel.shape[2] // 2
            kernel[0, 0, middle, middle] = 1
            layer.weight.set_value(kernel)
    return pyramid


def constant_features(values: tuple[float, ...]) -> list[Tensor]:
    """Return features of an input of 64 x 96 with `values` in the first channel."""
    features = []
    for number, value in enumerate(values):
        feature = paddle.full([1, number + 1, 16 >> number, 24 >> number], -7.0)
        feature[:, 0] = value
        features.append(feature)
    return features


def test_levels_have_strides_4_to_64_and_equal_channels(pyramid: FeaturePyramid) -> None:
    levels = pyramid(constant_features((0, 0, 0, 0)))

    assert [list(level.shape) for level in levels] == [
        [1, CHANNELS, 16, 24],
        [1, CHANNELS, 8, 12],
        [1, CHANNELS, 4, 6],
        [1, CHANNELS, 2, 3],
        [1, CHANNELS, 1, 2],  # of three cells in a row, the first and the last
    ]


def test_a_level_is_the_sum_of_its_feature_and_all_deeper_ones(pyramid: FeaturePyramid) -> None:
    levels = pyramid(constant_features((1, 10, 100, 1000)))

    for level, total in zip(levels, (1111, 1110, 1100, 1000, 1000), strict=True):
        assert (level[:, 0].numpy() == total).all()
        assert not level[:, 1:].numpy().any()


def test_a_cell_spreads_over_the_cells_that_lie_in_it(pyramid: FeaturePyramid) -> None:
    features = constant_features((0, 0, 0, 0))
    features[3][0, 0, 1, 2] = 1

    levels = [level.numpy()[0, 0] for level in pyramid(features)]

    for level, cells in zip(levels[:4], (8, 4, 2, 1), strict=True):
        assert (level[cells : 2 * cells, 2 * cells : 3 * cells] == 1).all()
        assert level.sum() == cells**2


def test_the_last_level_is_every_second_cell_of_the_one_before(pyramid: FeaturePyramid) -> None:
    features = constant_features((0, 0, 0, 0))
    features[3][0, 0] = paddle.to_tensor([[1.0, 9, 2], [9, 9, 9]])

    assert pyramid(features)[4][0, 0].tolist() == [[1, 2]]


def test_every_convolution_learns_from_the_finest_level_but_those_behind_it(
    pyramid: FeaturePyramid,
) -> None:
    finest = pyramid(constant_features((1, 1, 1, 1)))[0]
    finest.sum().backward()

    learned = {name for name, tensor in pyramid.named_parameters() if tensor.grad is not None}
    laterals = {name for name, _ in pyramid.named_parameters() if "inner" in name}
    assert learned == laterals | {"fpn_res2_sum.weight", "fpn_res2_sum.bias"}
    assert len(laterals) == 8
