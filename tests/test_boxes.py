from __future__ import annotations

import numpy as np
import pytest

from segtune import boxes
from tests.drawing import run_lengths

NO_BOXES = np.zeros((0, 4))


def test_sides_turn_into_corners() -> None:
    found = boxes.xywh_to_xyxy(np.array([[1.0, 2.0, 3.0, 4.0]]))

    np.testing.assert_array_equal(found, [[1, 2, 4, 6]])


def test_area_is_width_times_height_and_never_negative() -> None:
    found = boxes.areas(np.array([[1.0, 2.0, 4.0, 6.0], [4.0, 6.0, 1.0, 2.0], [1, 1, 1, 5]]))

    np.testing.assert_array_equal(found, [12, 0, 0])


def test_boxes_are_cut_at_their_images() -> None:
    across_and_outside = np.array([[-2.0, -1.0, 9.0, 3.0], [7.0, 7.0, 9.0, 9.0]])

    clipped = boxes.clip(across_and_outside, np.array([[4, 6], [5, 8]]))

    np.testing.assert_array_equal(clipped, [[0, 0, 6, 3], [7, 5, 8, 5]])
    np.testing.assert_array_equal(boxes.areas(clipped), [18, 0])


def test_a_box_is_finite_when_all_its_sides_are() -> None:
    found = boxes.are_finite(np.array([[0, 0, 1, 1], [0, np.nan, 1, 1], [0, 0, np.inf, 1]]))

    np.testing.assert_array_equal(found, [True, False, False])


def test_no_boxes_stay_no_boxes() -> None:
    assert boxes.xywh_to_xyxy(NO_BOXES).shape == (0, 4)
    assert boxes.clip(NO_BOXES, np.zeros((0, 2), np.int64)).shape == (0, 4)
    assert boxes.areas(NO_BOXES).shape == (0,)
    assert boxes.are_finite(NO_BOXES).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "columns", "box"),
    [
        pytest.param(slice(2, 6), slice(1, 4), [1, 2, 4, 6], id="rectangle"),
        pytest.param(slice(0, 1), slice(0, 1), [0, 0, 1, 1], id="one pixel is one unit wide"),
        pytest.param(slice(0, 8), slice(0, 9), [0, 0, 9, 8], id="the whole image"),
        pytest.param(slice(0, 8), slice(3, 5), [3, 0, 5, 8], id="a run over two columns"),
        pytest.param(slice(0, 0), slice(0, 0), [0, 0, 0, 0], id="empty mask"),
    ],
)
def test_box_encloses_whole_pixels(rows: slice, columns: slice, box: list[float]) -> None:
    mask = np.zeros((8, 9), dtype=bool)
    mask[rows, columns] = True

    assert boxes.runs_to_box(np.array(run_lengths(mask)), 8) == tuple(box)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        pytest.param([0, 0, 4, 2], [0, 0, 4, 2], 1.0, id="the same"),
        pytest.param([0, 0, 4, 2], [2, 0, 6, 2], 1 / 3, id="half beside"),
        pytest.param([0, 0, 4, 2], [4, 0, 8, 2], 0.0, id="touching"),
        pytest.param([1, 1, 1, 1], [1, 1, 1, 1], 0.0, id="without area"),
    ],
)
def test_overlap_is_shared_by_joint_area(
    first: list[float], second: list[float], overlap: float
) -> None:
    found = boxes.iou(np.asarray([first], np.float32), np.asarray([second], np.float32))

    np.testing.assert_allclose(found, [[overlap]])


def test_no_boxes_overlap_nothing() -> None:
    assert boxes.iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
