from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.ppyoloe_seg.head import YoloHead, grid_points


@pytest.fixture
def head() -> YoloHead:
    head = YoloHead([8, 4], [16, 8], num_classes=3, num_prototypes=5, prototype_channels=6)
    head.eval()
    return head


def test_points_are_cell_centres_row_by_row_from_coarse_to_fine() -> None:
    points, strides = grid_points([(1, 2), (2, 1)], [16, 8])

    np.testing.assert_array_equal(points.numpy(), [[0.5, 0.5], [1.5, 0.5], [0.5, 0.5], [0.5, 1.5]])
    np.testing.assert_array_equal(strides.numpy(), [[16], [16], [8], [8]])


def test_predictions_cover_every_point_of_every_level(head: YoloHead) -> None:
    predictions = head([paddle.zeros([2, 8, 2, 3]), paddle.zeros([2, 4, 4, 6])])

    assert predictions.scores.shape == [2, 3, 30]
    assert predictions.distances.shape == [2, 30, 4]
    assert predictions.coefficients.shape == [2, 5, 30]
    assert predictions.prototypes.shape == [2, 5, 8, 12]
    assert predictions.points.shape == [30, 2]


def test_untrained_head_scores_one_percent_and_boxes_the_mean_bin(head: YoloHead) -> None:
    predictions = head([paddle.randn([1, 8, 2, 3]), paddle.randn([1, 4, 4, 6])])

    np.testing.assert_allclose(predictions.scores.numpy(), 0.01, rtol=1e-5)
    np.testing.assert_allclose(predictions.distances.numpy(), 8.0, rtol=1e-5)


def test_distance_is_the_mean_of_the_bins_side_by_side(head: YoloHead) -> None:
    logits = np.full((1, 4, 17), -100, np.float32)
    logits[0, 0, 3] = 0  # left: 3
    logits[0, 1, [4, 5]] = 0  # top: between 4 and 5
    logits[0, 2, 16] = 0
    logits[0, 3, 0] = 0

    distances = head.decode_distances(paddle.to_tensor(logits.reshape(1, 68)))

    np.testing.assert_allclose(distances.numpy(), [[3, 4.5, 16, 0]], atol=1e-5)


def test_values_of_the_bins_are_frozen(head: YoloHead) -> None:
    assert head.proj_conv.weight.stop_gradient
    np.testing.assert_array_equal(head.proj_conv.weight.numpy().ravel(), np.arange(17))
