from __future__ import annotations

import numpy as np
import paddle

from segtune.models.ppyoloe_seg.csp_pan import CspPan, double_nearest


def test_double_nearest_repeats_every_cell() -> None:
    x = paddle.to_tensor([[[[1.0, 2], [3, 4]]]])

    doubled = double_nearest(x)

    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(doubled.numpy()[0, 0], expected)


def test_neck_returns_the_coarse_level_first() -> None:
    neck = CspPan(in_channels=[32, 16, 8], out_channels=[16, 8, 4], num_blocks=1)
    neck.eval()
    features = [
        paddle.zeros([1, 8, 8, 12]),
        paddle.zeros([1, 16, 4, 6]),
        paddle.zeros([1, 32, 2, 3]),
    ]

    shapes = [list(feature.shape) for feature in neck(features)]

    assert shapes == [[1, 16, 2, 3], [1, 8, 4, 6], [1, 4, 8, 12]]
