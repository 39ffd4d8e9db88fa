from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest
from paddle import Tensor

from segtune.models.mask_rcnn.matching import Matches, match, with_a_row
from segtune.models.segmenter import Targets
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import instances

SQUARE: Box = (0, 0, 10, 10)


def candidates(*boxes: Box) -> Tensor:
    return paddle.to_tensor([boxes], "float32")


def part(share: float, of: Box = SQUARE) -> Box:
    """Return the left part of a box, whose IoU with it is `share`."""
    x1, y1, x2, y2 = of
    return x1, y1, x1 + share * (x2 - x1), y2


def match_rpn(boxes: Tensor, targets: Targets, *, keep_best: bool = True) -> Matches:
    return match(boxes, targets, foreground_iou=0.7, background_iou=0.3, keep_best=keep_best)


def test_overlap_decides_between_foreground_void_and_background() -> None:
    boxes = candidates(*(part(share) for share in (1.0, 0.75, 0.65, 0.35, 0.25)), (50, 50, 60, 60))

    matches = match_rpn(boxes, instances([[SQUARE]]), keep_best=False)

    assert matches.is_foreground.tolist() == [[True, True, False, False, False, False]]
    assert matches.is_background.tolist() == [[False, False, False, False, True, True]]


def test_overlap_at_the_limit_is_foreground() -> None:
    matches = match(
        candidates(part(0.5), part(0.499)),
        instances([[SQUARE]]),
        foreground_iou=0.5,
        background_iou=0.5,
    )

    assert matches.is_foreground.tolist() == [[True, False]]
    assert matches.is_background.tolist() == [[False, True]]


def test_a_candidate_is_matched_with_the_instance_that_it_overlaps_most() -> None:
    # IoU with the first and the second instance: 80 / 120 and 40 / 140; then the other way round.
    boxes = candidates((2, 0, 12, 10), (14, 0, 24, 10))

    matches = match_rpn(boxes, instances([[SQUARE, (8, 0, 18, 10), (16, 0, 26, 10)]]))

    assert matches.instances.tolist() == [[0, 2]]


def test_best_candidates_are_foreground_even_if_they_overlap_little() -> None:
    boxes = candidates(part(0.2), part(0.1), (8, 0, 10, 10))  # the last one ties with the first

    matches = match_rpn(boxes, instances([[SQUARE]]))
    plain = match_rpn(boxes, instances([[SQUARE]]), keep_best=False)

    assert matches.is_foreground.tolist() == [[True, False, True]]
    assert matches.is_background.tolist() == [[False, True, False]]
    assert not plain.is_foreground.numpy().any()
    assert plain.is_background.numpy().all()


def test_best_candidate_of_one_instance_stays_matched_with_another_that_it_overlaps_more() -> None:
    first, second = SQUARE, (0.0, 6.0, 10.0, 16.0)
    # IoU of the second candidate: 80 / 120 and 60 / 140. The first one has 40 / 160 with the second
    # instance, whose best is therefore the second candidate.
    boxes = candidates(first, (0, 2, 10, 12))

    matches = match_rpn(boxes, instances([[first, second]]))

    assert matches.is_foreground.tolist() == [[True, True]]
    assert matches.instances.tolist() == [[0, 0]]


def test_an_instance_that_nothing_overlaps_makes_nothing_foreground() -> None:
    matches = match_rpn(candidates(part(1.0), part(0.5)), instances([[(80, 80, 90, 90)]]))

    assert not matches.is_foreground.numpy().any()
    assert matches.is_background.numpy().all()


def test_padding_matches_nothing() -> None:
    targets = instances([[(40, 40, 50, 50), SQUARE]])
    targets = replace(targets, valid=paddle.to_tensor([[True, False]]))

    matches = match_rpn(candidates(SQUARE, (40, 40, 50, 50)), targets)

    assert matches.is_foreground.tolist() == [[False, True]]
    assert matches.is_background.tolist() == [[True, False]]
    assert matches.instances[0, 1].item() == 0


def test_images_share_candidates_but_not_instances() -> None:
    boxes = candidates(SQUARE, (40, 40, 50, 50))

    matches = match_rpn(boxes, instances([[SQUARE], [(40, 40, 50, 50)]]))

    assert matches.is_foreground.tolist() == [[True, False], [False, True]]
    assert matches.instances.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("keep_best", [True, False])
def test_without_instances_all_is_background(keep_best: bool) -> None:
    targets = with_a_row(instances([[], []]))

    matches = match_rpn(candidates(SQUARE, (0, 0, 0, 0)), targets, keep_best=keep_best)

    assert matches.is_background.tolist() == [[True, True]] * 2
    assert not matches.is_foreground.numpy().any()


def test_a_row_is_added_only_where_there_is_none() -> None:
    empty, full = instances([[], []], size_hw=(4, 6)), instances([[SQUARE], []])

    padded = with_a_row(empty)

    assert with_a_row(full) is full
    assert padded.valid.tolist() == [[False], [False]]
    assert list(padded.boxes.shape) == [2, 1, 4]
    assert list(padded.masks.shape) == [2, 1, 4, 6]
    assert padded.masks.dtype == empty.masks.dtype
    np.testing.assert_array_equal(padded.sizes_hw.numpy(), [[4, 6], [4, 6]])
