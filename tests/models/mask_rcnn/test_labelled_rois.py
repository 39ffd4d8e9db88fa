from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import paddle
import pytest

from segtune.models.mask_rcnn.labelled_rois import LabelledRois, label_all, label_sampled
from segtune.models.mask_rcnn.matching import with_a_row
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.segmenter import Targets
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import instances, regions

K = 7
FIRST, SECOND, NOWHERE = (0, 0, 10, 10), (40, 40, 50, 50), (80, 80, 90, 90)
NEAR_FIRST, NEAR_SECOND = (0, 0, 10, 8), (40, 40, 50, 46)  # overlaps of 0.8 and 0.6
TWO = instances([[FIRST, SECOND]], [[3, 5]])


def label(proposals: Proposals, targets: Targets, min_iou: float = 0.5) -> LabelledRois:
    return label_all(proposals, targets, min_iou=min_iou, num_classes=K)


def draw(proposals: Proposals, targets: Targets, *, most: int = 8) -> LabelledRois:
    paddle.seed(0)
    return label_sampled(proposals, targets, min_iou=0.5, num_classes=K, most=most)


def found(rois: LabelledRois, image: int = 0) -> Counter[tuple[tuple[float, ...], int]]:
    """Return the valid boxes of an image with their labels, and how often there are any."""
    is_valid = rois.is_valid[image].numpy()
    boxes = map(tuple, rois.boxes[image].numpy()[is_valid].tolist())
    return Counter(zip(boxes, rois.labels[image].numpy()[is_valid].tolist(), strict=True))


@pytest.mark.parametrize(
    ("min_iou", "labels"),
    [
        pytest.param(0.5, [5, K, 3, 3], id="five tenths"),
        pytest.param(0.6, [5, K, 3, 3], id="at the limit"),
        pytest.param(0.7, [K, K, 3, 3], id="seven tenths"),
        pytest.param(0.9, [K, K, K, 3], id="nine tenths"),
    ],
)
def test_regions_have_the_label_of_the_instance_that_they_overlap_enough(
    min_iou: float, labels: list[int]
) -> None:
    rois = label(regions([[NEAR_SECOND, NOWHERE, NEAR_FIRST, FIRST]]), TWO, min_iou)

    assert rois.labels.tolist() == [labels]
    assert rois.is_foreground.tolist() == [[own < K for own in labels]]
    assert rois.is_valid.numpy().all()
    wanted = rois.wanted_boxes(TWO).numpy()[0]
    for own, box in zip(labels, wanted, strict=True):
        assert own == K or tuple(box) == (FIRST if own == 3 else SECOND)


def test_void_rows_stay_void_even_on_an_instance() -> None:
    proposals = regions([[FIRST, FIRST]])
    proposals = proposals._replace(is_valid=paddle.to_tensor([[True, False]]))

    rois = label(proposals, TWO)

    assert rois.is_valid.tolist() == rois.is_foreground.tolist() == [[True, False]]
    assert rois.labels.tolist() == [[3, K]]
    assert rois.num_valid.item() == 1


def test_images_are_labelled_by_their_own_instances() -> None:
    targets = instances([[FIRST, SECOND], [SECOND]], [[3, 5], [6]])

    rois = label(regions([[FIRST, SECOND], [FIRST, SECOND]]), targets)

    assert rois.labels.tolist() == [[3, 5], [K, 6]]
    np.testing.assert_array_equal(rois.wanted_boxes(targets).numpy()[1, 1], SECOND)


def test_instances_themselves_are_among_the_samples() -> None:
    rois = draw(regions([[NEAR_SECOND, NOWHERE]]), TWO, most=16)

    assert found(rois) == Counter([(NEAR_SECOND, 5), (NOWHERE, K), (FIRST, 3), (SECOND, 5)])


def test_a_quarter_of_the_samples_is_foreground_and_comes_first() -> None:
    background: list[Box] = [(60.0 + i, 60, 70, 70) for i in range(9)]

    rois = draw(regions([[*background, NEAR_FIRST, NEAR_SECOND]]), TWO, most=8)

    assert rois.is_foreground.tolist() == [[True] * 2 + [False] * 6]
    assert set(rois.labels.numpy()[0, :2]) <= {3, 5}
    assert rois.labels.tolist()[0][2:] == [K] * 6
    assert len({box for box, own in found(rois) if own == K}) == 6


def test_neither_void_proposals_nor_padding_are_sampled() -> None:
    proposals = regions([[NEAR_SECOND, NOWHERE], [NOWHERE, NEAR_FIRST]])
    proposals = proposals._replace(is_valid=paddle.to_tensor([[False, True], [True, False]]))
    targets = instances([[SECOND, FIRST], [FIRST]], [[5, 3], [4]])
    targets = replace(targets, valid=paddle.to_tensor([[True, False], [True, False]]))

    rois = draw(proposals, targets)

    assert found(rois, 0) == Counter([(SECOND, 5), (NOWHERE, K)])
    assert found(rois, 1) == Counter([(FIRST, 4), (NOWHERE, K)])
    assert rois.num_valid.item() == 4


def test_without_instances_all_samples_are_background() -> None:
    rois = draw(regions([[FIRST, SECOND], [NOWHERE]]), with_a_row(instances([[], []])))

    assert found(rois, 0) == Counter([(FIRST, K), (SECOND, K)])
    assert found(rois, 1) == Counter([(NOWHERE, K)])
    assert not rois.is_foreground.numpy().any()
    assert rois.num_valid.item() == 3


def test_without_regions_the_number_to_divide_by_is_one() -> None:
    proposals = Proposals(paddle.zeros([2, 3, 4]), paddle.zeros([2, 3], "bool"))

    rois = draw(proposals, with_a_row(instances([[], []])))

    assert not rois.is_valid.numpy().any()
    assert rois.num_valid.item() == 1
