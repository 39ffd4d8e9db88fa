from __future__ import annotations

import numpy as np
import pytest

from segtune.data.window import Window

FILL = (7, 8, 9)


@pytest.fixture
def image() -> np.ndarray:
    return np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3) + 100


def test_a_window_inside_shows_that_part_of_the_image(image: np.ndarray) -> None:
    np.testing.assert_array_equal(Window(1, 2, 2, 3).cut(image, FILL), image[1:3, 2:5])


def test_a_window_beyond_all_edges_is_filled_around_the_image(image: np.ndarray) -> None:
    cut = Window(-1, -2, 7, 9).cut(image, FILL)

    assert cut.shape == (7, 9, 3)
    np.testing.assert_array_equal(cut[1:5, 2:7], image)
    cut[1:5, 2:7] = FILL
    assert (cut == FILL).all()


def test_a_window_over_a_corner_keeps_what_is_there(image: np.ndarray) -> None:
    cut = Window(3, 4, 2, 2).cut(image, FILL)

    np.testing.assert_array_equal(cut[0, 0], image[3, 4])
    assert (cut.reshape(4, 3)[1:] == FILL).all()


def test_a_window_of_a_window_is_in_pixels_of_the_image() -> None:
    assert Window(5, 6, 10, 10).within(Window(-3, -4, 40, 40)) == Window(2, 2, 10, 10)


@pytest.mark.parametrize(
    ("box", "moved"),
    [
        pytest.param([3, 4, 6, 8], [1, 3, 4, 7], id="inside"),
        pytest.param([0, 0, 50, 50], [0, 0, 20, 10], id="cut on all sides"),
    ],
)
def test_boxes_are_shifted_and_clipped(box: list[float], moved: list[float]) -> None:
    window = Window(top=1, left=2, height=10, width=20)

    boxes = window.clip(window.shift(np.array([box], np.float64)))

    np.testing.assert_array_equal(boxes, [moved])


def test_no_boxes_stay_no_boxes() -> None:
    window = Window(1, 2, 10, 20)

    assert window.clip(window.shift(np.zeros((0, 4)))).shape == (0, 4)
