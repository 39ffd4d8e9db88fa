from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import pytest

from segtune.models.ppyoloe_seg.assigner import Assignment, assign_by_alignment, scores_of_labels
from segtune.models.segmenter import Targets

LEFT, RIGHT, MIDDLE = (0, 0, 20, 10), (10, 0, 30, 10), (6, 0, 26, 10)
POINTS = [(5, 5), (15, 5), (25, 5)]  # in LEFT, in both, in RIGHT
PREDICTED = [(0, 0, 10, 10), MIDDLE, (20, 0, 30, 10)]


def assign(
    boxes: Sequence[tuple[int, ...]],
    *,
    num_candidates: int,
    labels: Sequence[int] | None = None,
    valid: Sequence[bool] | None = None,
) -> Assignment:
    """Assign the three points; every point scores label 0 with 0.5 and label 1 with 0."""
    count = len(boxes)
    targets = Targets(
        paddle.to_tensor(np.asarray(boxes, np.float32).reshape(1, count, 4)),
        paddle.to_tensor(np.asarray(labels or [0] * count, np.int64).reshape(1, count)),
        paddle.zeros([1, count, 8, 8], "uint8"),
        paddle.to_tensor(np.asarray(valid or [True] * count, bool).reshape(1, count)),
        paddle.full([1, 2], 32.0),
    )
    scores = paddle.concat([paddle.full([1, 1, 3], 0.5), paddle.zeros([1, 1, 3])], axis=1)
    return assign_by_alignment(
        scores,
        paddle.to_tensor([PREDICTED], dtype="float32"),
        paddle.to_tensor(POINTS, dtype="float32"),
        targets,
        num_candidates=num_candidates,
    )


def test_contested_point_goes_to_the_instance_it_overlaps_most() -> None:
    # IoU of the middle prediction: 140 / 260 with LEFT, 160 / 240 with RIGHT.
    assignment = assign([LEFT, RIGHT], num_candidates=1)

    np.testing.assert_array_equal(assignment.positive.numpy(), [[False, True, False]])
    assert assignment.instance.numpy()[0, 1] == 1
    np.testing.assert_allclose(assignment.quality.numpy(), [[0, 2 / 3, 0]], rtol=1e-5)


def test_quality_is_the_metric_scaled_to_the_best_overlap_of_the_instance() -> None:
    assignment = assign([LEFT, RIGHT], num_candidates=2)

    np.testing.assert_array_equal(assignment.positive.numpy(), [[True, True, True]])
    np.testing.assert_array_equal(assignment.instance.numpy(), [[0, 1, 1]])
    share = (0.5 / (2 / 3)) ** 6  # of RIGHT's metrics at its two points; the scores are equal
    np.testing.assert_allclose(assignment.quality.numpy(), [[0.5, 2 / 3, share * 2 / 3]], rtol=1e-4)


def test_contested_point_may_go_to_an_instance_that_did_not_ask_for_it() -> None:
    # The third instance equals the prediction, but its label scores 0 there.
    assignment = assign([LEFT, RIGHT, MIDDLE], labels=[0, 0, 1], num_candidates=1)

    np.testing.assert_array_equal(assignment.positive.numpy(), [[False, True, False]])
    assert assignment.instance.numpy()[0, 1] == 2
    np.testing.assert_array_equal(assignment.quality.numpy(), [[0, 0, 0]])


def test_point_outside_the_box_is_not_given_to_it() -> None:
    assignment = assign([(16, 0, 30, 10)], num_candidates=3)

    np.testing.assert_array_equal(assignment.positive.numpy(), [[False, False, True]])


@pytest.mark.parametrize(
    ("boxes", "valid"),
    [
        pytest.param([], [], id="no rows"),
        pytest.param([LEFT, RIGHT], [False, False], id="rows that are padding"),
    ],
)
def test_image_without_instances_is_background(
    boxes: list[tuple[int, ...]], valid: list[bool]
) -> None:
    assignment = assign(boxes, valid=valid, num_candidates=2)

    assert assignment.positive.shape == [1, 3]
    assert not assignment.positive.numpy().any()
    assert not assignment.instance.numpy().any()
    assert not assignment.quality.numpy().any()


def test_scores_of_labels_picks_a_class_for_each_instance() -> None:
    scores = paddle.arange(12, dtype="float32").reshape([2, 3, 2])  # images, classes, points
    labels = paddle.to_tensor([[2, 0], [1, 1]])

    picked = scores_of_labels(scores, labels)

    np.testing.assert_array_equal(picked.numpy(), [[[4, 5], [0, 1]], [[8, 9], [8, 9]]])
