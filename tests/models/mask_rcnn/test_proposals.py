from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray
from paddle import Tensor
from paddle.vision.ops import generate_proposals

from segtune.models.mask_rcnn.anchors import cell_anchors, grid_anchors
from segtune.models.mask_rcnn.proposals import LevelScores, ProposalCounts, propose
from tests.models.labelled import Box

SIZES_HW = paddle.to_tensor([[64.0, 96], [40, 70]])
STRIDES, SIDES, GRIDS = (8, 16, 32), (8, 24, 48), ((8, 12), (4, 6), (2, 3))


def level_of(boxes: Sequence[Box], logits: Sequence[Sequence[float]]) -> LevelScores:
    """Return a level whose anchors are `boxes` and stay where they are, for each row of logits."""
    return LevelScores(
        paddle.to_tensor(boxes, "float32"),
        paddle.to_tensor(logits, "float32"),
        paddle.zeros([len(logits), len(boxes), 4]),
    )


def proposed(
    levels: Sequence[LevelScores], counts: ProposalCounts, sizes_hw: Tensor | None = None
) -> list[list[list[float]]]:
    """Return the boxes of each image; what is void comes after them and is zero."""
    if sizes_hw is None:
        sizes_hw = paddle.full([levels[0].logits.shape[0], 2], 100.0)
    boxes, is_valid = (field.numpy() for field in propose(levels, sizes_hw, counts))
    assert boxes.shape == (len(is_valid), counts.final, 4)
    numbers = is_valid.sum(axis=1)
    np.testing.assert_array_equal(is_valid, np.arange(counts.final) < numbers[:, None])
    assert not boxes[~is_valid].any()
    return [rows[:number].tolist() for rows, number in zip(boxes, numbers, strict=True)]


def by_paddles_operator(
    logits: Sequence[Tensor], deltas: Sequence[Tensor], counts: ProposalCounts
) -> list[NDArray[np.float32]]:
    """Return the boxes of each image, the best ones first."""
    found = []
    for image in range(len(SIZES_HW)):
        boxes, scores = [], []
        for number in range(len(STRIDES)):
            rows, of_rows, _ = generate_proposals(
                logits[number][image : image + 1],
                deltas[number][image : image + 1],
                SIZES_HW[image : image + 1],
                anchors_of(number, logits[number]).reshape([*GRIDS[number], 3, 4]),
                paddle.ones([*GRIDS[number], 3, 4]),
                pre_nms_top_n=counts.before_nms,
                post_nms_top_n=counts.before_nms,
                nms_thresh=0.7,
                min_size=0.0,
                pixel_offset=False,
                return_rois_num=True,
            )
            boxes.append(rows.numpy())
            scores.append(of_rows.numpy().ravel())
        best = np.argsort(-np.concatenate(scores), kind="stable")[: counts.final]
        found.append(np.concatenate(boxes)[best])
    return found


def anchors_of(number: int, feature: Tensor) -> Tensor:
    return grid_anchors(cell_anchors([SIDES[number]]), STRIDES[number], feature)


@pytest.mark.parametrize("empty_level", [None, 0, 2])
@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(ProposalCounts(1000, 1000), id="all"),
        pytest.param(ProposalCounts(40, 1000), id="few of each level"),
        pytest.param(ProposalCounts(1000, 25), id="few of all levels"),
        pytest.param(ProposalCounts(60, 70), id="few of both"),
    ],
)
def test_proposals_are_those_of_paddles_operator(
    counts: ProposalCounts, empty_level: int | None
) -> None:
    rng = np.random.default_rng(0)
    logits = [paddle.to_tensor(rng.standard_normal((2, 3, *grid)), "float32") for grid in GRIDS]
    # Widths and heights between a fiftieth and fifty times the anchors': some are under a pixel,
    # many reach out of the image, and several overlap.
    spread = np.tile([0.5, 0.5, 1.5, 1.5], 3).reshape(1, 12, 1, 1)
    deltas = [
        paddle.to_tensor(rng.standard_normal((2, 12, *grid)) * spread, "float32") for grid in GRIDS
    ]
    if empty_level is not None:
        deltas[empty_level][:, 2::4] = -20.0  # no box has any width
    levels = [
        LevelScores(
            anchors_of(number, feature),
            feature.transpose([0, 2, 3, 1]).flatten(1),
            deltas[number].transpose([0, 2, 3, 1]).reshape([2, -1, 4]),
        )
        for number, feature in enumerate(logits)
    ]

    own = proposed(levels, counts, SIZES_HW)

    for rows, expected in zip(own, by_paddles_operator(logits, deltas, counts), strict=True):
        assert len(rows) == len(expected)
        np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_best_proposals_come_first_whatever_their_level() -> None:
    first = level_of([(0, 0, 10, 10), (20, 0, 30, 10)], [[-3, 5]])
    second = level_of([(0, 50, 40, 90), (50, 50, 90, 90)], [[7, -1]])

    boxes = [[0, 50, 40, 90], [20, 0, 30, 10], [50, 50, 90, 90], [0, 0, 10, 10]]
    assert proposed([first, second], ProposalCounts(9, 6)) == [boxes]
    assert proposed([first, second], ProposalCounts(9, 2)) == [boxes[:2]]
    assert proposed([first, second], ProposalCounts(1, 6)) == [[boxes[0], boxes[1]]]


def test_boxes_under_a_pixel_are_dropped() -> None:
    level = level_of([(0, 0, 0.99, 50), (0, 0, 50, 0.99), (60, 0, 61, 1)], [[9, 8, -50]])

    assert proposed([level], ProposalCounts(3, 3)) == [[[60, 0, 61, 1]]]


def test_boxes_are_clipped_to_their_image_before_they_are_measured() -> None:
    level = level_of([(-5, 0, 30, 120), (49.5, 0, 60, 90)], [[2, 1], [2, 1]])

    own = proposed([level], ProposalCounts(9, 9), paddle.to_tensor([[80.0, 100], [100, 50]]))

    assert own == [[[0, 0, 30, 80], [49.5, 0, 60, 80]], [[0, 0, 30, 100]]]


def test_a_box_is_dropped_for_a_better_one_that_it_overlaps_by_more_than_seven_tenths() -> None:
    whole, most, less, other = (0, 0, 10, 10), (0, 0, 10, 7.25), (0, 0, 10, 6.75), (0, 3.25, 10, 10)

    level = level_of([less, whole, most, other], [[1, 5, 3, 2]])

    assert proposed([level], ProposalCounts(9, 9)) == [[list(whole), list(other), list(less)]]


def test_neither_levels_nor_images_suppress_each_other() -> None:
    box = (0, 0, 10, 10)
    levels = [level_of([box], [[3], [4]]), level_of([box], [[5], [6]])]

    assert proposed(levels, ProposalCounts(9, 9)) == [[list(box)] * 2] * 2


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([(3, 3, 3.5, 3.5)] * 2, id="all too small"),
        pytest.param([(101, 0, 120, 10)] * 2, id="all outside"),
    ],
)
def test_a_level_without_boxes_gives_one_without_area_of_logit_zero(boxes: list[Box]) -> None:
    levels = [level_of(boxes, [[3, 2]]), level_of([(0, 0, 9, 9), (50, 50, 60, 60)], [[-1, 1]])]

    alone, both = (proposed(chosen, ProposalCounts(4, 3)) for chosen in (levels[:1], levels))

    assert alone == [[[0, 0, 0, 0]]]
    assert both == [[[50, 50, 60, 60], [0, 0, 0, 0], [0, 0, 9, 9]]]


def test_an_image_may_have_no_box_beside_one_that_has() -> None:
    level = level_of([(60, 0, 70, 10)], [[1], [1]])

    own = proposed([level], ProposalCounts(4, 3), paddle.to_tensor([[100.0, 50], [100, 100]]))

    assert own == [[[0, 0, 0, 0]], [[60, 0, 70, 10]]]


def test_proposals_carry_no_gradient() -> None:
    level = level_of([(0, 0, 10, 10)], [[1]])
    for tensor in level:
        tensor.stop_gradient = False

    boxes, _ = propose([level], paddle.full([1, 2], 50.0), ProposalCounts(4, 3))

    assert boxes.stop_gradient
