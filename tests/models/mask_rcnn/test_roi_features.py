from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from segtune.models.mask_rcnn.roi_features import LINEAR_WIDTH, StageFive, TwoLinearLayers

BOXES = [[0.0, 0, 40, 30], [10, 10, 60, 60], [5, 0, 64, 64]]
COUNTS = [1, 2]


@pytest.fixture
def stage_five() -> StageFive:
    paddle.seed(0)
    return StageFive(4, 16)


def test_vectors_are_two_layers_over_all_cells_of_the_pooled_feature() -> None:
    paddle.seed(0)
    head = TwoLinearLayers(2, (4, 8, 16, 32))
    levels = [paddle.randn([2, 2, 64 // stride, 64 // stride]) for stride in (4, 8, 16, 32)]
    boxes, counts = paddle.to_tensor(BOXES), paddle.to_tensor(COUNTS, "int32")

    vectors = head(levels, boxes, counts)

    cells = head.features(levels, boxes, counts).reshape([3, 2 * 7 * 7])
    hidden = nn.functional.relu(cells @ head.fc6.weight + head.fc6.bias)
    expected = nn.functional.relu(hidden @ head.fc7.weight + head.fc7.bias)
    assert list(vectors.shape) == [3, LINEAR_WIDTH] == [3, head.out_width]
    assert (vectors.numpy() > 0).any()
    np.testing.assert_allclose(vectors.numpy(), expected.numpy(), atol=1e-5)


def test_vectors_of_stage_five_are_the_means_of_its_features(stage_five: StageFive) -> None:
    levels = [paddle.randn([2, 4, 4, 4])]
    boxes, counts = paddle.to_tensor(BOXES), paddle.to_tensor(COUNTS, "int32")

    features = stage_five.features(levels, boxes, counts).numpy()
    vectors = stage_five(levels, boxes, counts).numpy()

    assert features.shape == (3, 2048, 7, 7)  # half of 14
    assert stage_five.out_width == 2048
    assert np.ptp(features, axis=(2, 3)).max() > 0
    np.testing.assert_allclose(vectors, features.mean(axis=(2, 3)), rtol=1e-4, atol=1e-4)


def test_norms_of_stage_five_are_frozen_and_its_convolutions_learn(stage_five: StageFive) -> None:
    learns = {name for name, tensor in stage_five.named_parameters() if not tensor.stop_gradient}

    assert len(learns) == 10
    assert all(name.endswith("conv.weight") for name in learns)
