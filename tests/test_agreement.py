from __future__ import annotations

import numpy as np
import pytest

from segtune.agreement import AgreementReport, Band, compare, merge
from segtune.instances import Instances
from segtune.masks import encode_all

SIZE = (40, 50)
BOXES = [[1, 2, 11, 12], [20, 10, 45, 38]]


def instances(
    boxes: object = BOXES, scores: object = (0.9, 0.6), labels: object = (1, 0)
) -> Instances:
    """Instances whose masks fill their boxes."""
    sides = np.asarray(boxes, np.float32).reshape(-1, 4)
    bitmaps = np.zeros((len(sides), *SIZE), bool)
    for bitmap, (x1, y1, x2, y2) in zip(bitmaps, sides.round().astype(int), strict=True):
        bitmap[y1:y2, x1:x2] = True
    return Instances(
        sides,
        np.asarray(scores, np.float32),
        np.asarray(labels, np.int64),
        encode_all(bitmaps),
        SIZE,
    )


def test_equal_instances_agree() -> None:
    assert compare(instances(), instances()) == AgreementReport(images=1, instances=2)


def test_differences_are_the_largest_of_all_instances() -> None:
    moved = instances([[1, 2, 11, 12.25], [20, 10, 45, 38]], (0.9, 0.5))

    report = compare(instances(), moved)

    assert report.worst_box_px == 0.25
    assert report.worst_score == pytest.approx(0.1)
    assert not report.agrees


def test_order_among_equal_scores_does_not_matter() -> None:
    first = instances(scores=(0.5, 0.5))

    assert compare(first, first.select(np.asarray([1, 0]))).agrees


@pytest.mark.parametrize("missing_in_first", [True, False])
def test_an_instance_without_counterpart_is_infinitely_far(missing_in_first: bool) -> None:
    pair = [instances(), instances(BOXES[:1], (0.9,), (1,))]
    if missing_in_first:
        pair.reverse()

    report = compare(*pair)

    assert report.worst_box_px == np.inf
    assert not report.agrees


def test_another_label_is_another_instance() -> None:
    assert not compare(instances(), instances(labels=(1, 2))).agrees


@pytest.mark.parametrize("nan_in_first", [True, False])
def test_what_is_not_a_number_agrees_with_nothing(nan_in_first: bool) -> None:
    pair = [instances(), instances(scores=(0.9, np.nan))]
    if nan_in_first:
        pair.reverse()

    assert compare(*pair).worst_score == np.inf
    assert not merge([compare(*pair), compare(instances(), instances())]).agrees


def test_masks_that_differ_in_a_column_do_not_agree() -> None:
    cut = instances([[1, 2, 11, 12], [21, 10, 45, 38]])
    shifted = Instances(instances().boxes, cut.scores, cut.labels, cut.rles, SIZE)

    report = compare(instances(), shifted)

    assert report.worst_mask_iou == pytest.approx(24 / 25)
    assert not report.agrees


def test_no_instances_agree_with_no_instances() -> None:
    report = compare(Instances.none(SIZE), Instances.none(SIZE))

    assert report == AgreementReport(images=1, instances=0)
    assert report.agrees


def test_the_worst_of_several_reports_counts() -> None:
    reports = [AgreementReport(1, 3, 0.1, 0.0, 0.9), AgreementReport(2, 4, 0.0, 0.2, 1.0)]

    assert merge(reports) == AgreementReport(3, 7, 0.1, 0.2, 0.9)


def test_an_equal_score_in_the_same_place_is_a_tie_of_suppression() -> None:
    boxes = [[4 * i, 0, 4 * i + 3, 30] for i in range(10)]
    scores = np.linspace(0.9, 0.5, 10)
    # The last box has been suppressed by one that lies two pixels lower, with the same score.
    other = [*boxes[:9], [36, 2, 39, 32]]

    report = compare(instances(boxes, scores, [0] * 10), instances(other, scores, [0] * 10))

    assert (report.ties, report.instances, report.worst_box_px) == (1, 10, 0.0)
    assert not report.agrees  # one in ten is more than ties explain
    assert AgreementReport(images=1, instances=50, ties=1).agrees


def test_another_score_in_the_same_place_is_no_tie() -> None:
    report = compare(instances(), instances([BOXES[0], [20, 12, 45, 38]], (0.9, 0.55)))

    assert report.ties == 0
    assert report.worst_box_px == 2.0


def test_pixels_on_the_verge_are_not_compared_and_others_are() -> None:
    def square(rows: int) -> Instances:
        bitmap = np.zeros((1, 40, 40), bool)
        bitmap[0, :rows] = True
        box = np.asarray([[0, 0, 40, 40]], np.float32)
        return Instances(
            box, np.ones(1, np.float32), np.zeros(1, np.int64), encode_all(bitmap), (40, 40)
        )

    band = Band(smaller=square(30), larger=square(34))

    assert compare(square(32), square(33), band).worst_mask_iou == 1.0
    assert compare(square(32), square(35), band).worst_mask_iou == 1 - 1 / 35
    assert compare(square(32), square(33)).worst_mask_iou == 1 - 1 / 33
