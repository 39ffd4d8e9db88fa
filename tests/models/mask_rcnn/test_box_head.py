from __future__ import annotations

from math import log

import numpy as np
import paddle
import pytest
from paddle import nn

from segtune.models.mask_rcnn.box_coder import Weights
from segtune.models.mask_rcnn.box_head import BoxHead, BoxScores, losses_of_regions, score_regions
from segtune.models.mask_rcnn.labelled_rois import LabelledRois
from segtune.models.mask_rcnn.proposals import Proposals
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import Echo, give_constants, instances, regions

K = 2
SQUARE: Box = (0, 0, 10, 10)
TARGETS = instances([[(1, 0, 11, 10)]], [[1]])
ROIS = LabelledRois(
    boxes=paddle.to_tensor([[SQUARE, SQUARE, (0, 0, 0, 0)]], "float32"),
    is_valid=paddle.to_tensor([[True, True, False]]),
    is_foreground=paddle.to_tensor([[True, False, False]]),
    labels=paddle.to_tensor([[1, K, K]]),
    instances=paddle.to_tensor([[0, 0, 0]]),
)


def test_classification_loss_is_the_mean_over_valid_regions() -> None:
    logits = paddle.to_tensor([[[0, log(2), 0], [0, 0, log(6)], [50, 0, 0]]], "float32")
    logits.stop_gradient = False
    scores = BoxScores(logits, paddle.zeros([1, 3, 8]))

    loss, _ = losses_of_regions(scores, ROIS, TARGETS, Weights())
    loss.backward()

    # Probabilities of the labels are 2 / 4 and 6 / 8.
    assert loss.item() == pytest.approx((log(2) + log(4 / 3)) / 2)
    np.testing.assert_allclose(
        logits.grad.numpy(), [[[0.125, -0.25, 0.125], [0.0625, 0.0625, -0.125], [0, 0, 0]]], 1e-5
    )


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        pytest.param(4 * K, slice(4, 8), id="a box for each class"),
        pytest.param(4, slice(0, 4), id="one box for all classes"),
    ],
)
def test_box_loss_counts_the_box_of_the_label_and_divides_by_all_valid_regions(
    width: int, columns: slice
) -> None:
    deltas = paddle.full([1, 3, width], 0.5)
    deltas.stop_gradient = False
    scores = BoxScores(paddle.zeros([1, 3, K + 1]), deltas)

    _, loss = losses_of_regions(scores, ROIS, TARGETS, Weights(10, 10, 5, 5))
    loss.backward()

    # A tenth of a width further right is a delta of 1; the three others should be 0.
    assert loss.item() == pytest.approx((0.5 + 3 * 0.5) / 2)
    expected = np.zeros((1, 3, width))
    expected[0, 0, columns] = [-0.5, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(deltas.grad.numpy(), expected)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        pytest.param(
            [[(1, 2, 3, 4), (5, 6, 7, 8)], [(9, 9, 10, 10)]],
            [[[1, 2, 3, 4, 0], [5, 6, 7, 8, 0]], [[9, 9, 10, 10, 1], [0] * 5]],
            id="last image has fewer",
        ),
        pytest.param(
            [[], [(5, 6, 7, 8), (1, 2, 3, 4)]],
            [[[0] * 5, [0] * 5], [[5, 6, 7, 8, 1], [1, 2, 3, 4, 1]]],
            id="first image has none",
        ),
    ],
)
def test_regions_are_scored_in_their_image_and_void_rows_are_zero(
    boxes: list[list[Box]], expected: list[list[list[float]]]
) -> None:
    proposals = regions(boxes)

    scores = score_regions(
        Echo(), nn.Identity(), nn.Identity(), [], proposals.boxes, proposals.is_valid
    )

    np.testing.assert_array_equal(scores.logits.numpy(), expected)
    np.testing.assert_array_equal(scores.deltas.numpy(), expected)


def test_without_any_region_scores_have_their_full_shape() -> None:
    void = Proposals(paddle.ones([2, 3, 4]), paddle.zeros([2, 3], "bool"))

    scores = score_regions(Echo(), nn.Linear(5, 3), nn.Linear(5, 8), [], void.boxes, void.is_valid)

    assert list(scores.logits.shape) == [2, 3, 3]
    assert list(scores.deltas.shape) == [2, 3, 8]
    assert not scores.logits.numpy().any()


@pytest.mark.parametrize("num_instances", [1, 0])
def test_every_tensor_learns_but_for_the_boxes_where_there_is_no_instance(
    num_instances: int,
) -> None:
    head = BoxHead(Echo(), K, samples_per_image=4)
    targets = instances([[SQUARE][:num_instances], [SQUARE]])
    targets.valid[1] = False
    rois = head.sample(regions([[(0, 0, 10, 9), (50, 50, 60, 60)], []]), targets)

    sum(head.losses([], rois, targets).values()).backward()

    learned = {name for name, tensor in head.named_parameters() if tensor.grad.numpy().any()}
    scores, boxes = ({f"bbox_{p}.weight", f"bbox_{p}.bias"} for p in ("score", "delta"))
    assert learned == (scores | boxes if num_instances else scores)


def test_samples_are_foreground_from_an_overlap_of_one_half() -> None:
    head = BoxHead(Echo(), K, samples_per_image=16)

    rois = head.sample(regions([[(0, 0, 10, 4.9), (0, 0, 10, 5)]]), instances([[SQUARE]]))

    # The half and the instance itself, then what is smaller.
    assert rois.labels.tolist() == [[0, 0, K]]
    assert rois.boxes.numpy()[0, 2].tolist() == pytest.approx([0, 0, 10, 4.9])


def test_prediction_leaves_the_background_out() -> None:
    head = BoxHead(Echo(), K)
    give_constants(head.bbox_score, [log(2), log(3), log(5)])
    give_constants(head.bbox_delta, [*range(8)])
    proposals = regions([[SQUARE]])

    rois = head([], proposals, paddle.full([1, 2], 50.0))

    np.testing.assert_allclose(rois.scores.numpy(), [[[0.2, 0.3]]], rtol=1e-6)
    np.testing.assert_array_equal(rois.deltas.numpy(), [[range(8)]])
    np.testing.assert_array_equal(rois.boxes.numpy(), [[SQUARE]])
    assert rois.weights == (10, 10, 5, 5)
