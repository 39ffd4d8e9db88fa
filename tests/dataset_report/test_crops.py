from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.dataset_report.crops import (
    BOX_COLOUR,
    MASK_COLOUR,
    SIZE_HW,
    STATED_COLOUR,
    draw_annotation,
    draw_image,
)
from segtune.dataset_report.shapes import Shape, read_shape

GREY = 120


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.full((150, 200, 3), GREY, np.uint8)


def square(left: float, top: float, side: float) -> Shape:
    right, bottom = left + side, top + side
    ring = [left, top, right, top, right, bottom, left, bottom]
    return read_shape({"segmentation": [ring], "bbox": [left, top, side, side]})


def share(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - colour).max(axis=2) < 24).mean())


def test_an_instance_fills_much_of_its_picture_wherever_it_lies(image: NDArray[np.uint8]) -> None:
    for left, top in ((2, 2), (90, 70), (175, 125)):
        picture = draw_annotation(image, square(left, top, 20))

        assert picture is not None
        assert picture.shape == (*SIZE_HW, 3)
        tinted = np.rint(0.35 * np.array(MASK_COLOUR) + 0.65 * GREY).astype(int)
        assert 0.05 < share(picture, tuple(tinted.tolist())) < 0.5
        assert share(picture, (206, 206, 206)) + share(picture, (226, 226, 226)) == 0  # no hatching


def test_mask_and_box_are_drawn_in_their_colours(image: NDArray[np.uint8]) -> None:
    picture = draw_annotation(
        image, read_shape({"segmentation": [[80, 60, 90, 60, 90, 70]], "bbox": [70, 50, 40, 40]})
    )

    assert picture is not None
    assert share(picture, MASK_COLOUR) > 0
    assert share(picture, BOX_COLOUR) > 0


def test_a_mask_beyond_the_edge_is_seen_beside_the_image(image: NDArray[np.uint8]) -> None:
    picture = draw_annotation(image, square(230, 60, 30))

    assert picture is not None
    assert share(picture, MASK_COLOUR) > 0
    assert share(picture, (GREY, GREY, GREY)) > 0.1
    assert share(picture, (206, 206, 206)) > 0.05


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"segmentation": []}, id="nothing to draw"),
        pytest.param({"segmentation": [[900.0, 0, 950, 0, 950, 9]]}, id="far off"),
    ],
)
def test_what_is_nowhere_near_has_no_picture(
    image: NDArray[np.uint8], entry: dict[str, object]
) -> None:
    assert draw_annotation(image, read_shape(entry)) is None


def test_a_box_without_area_is_seen(image: NDArray[np.uint8]) -> None:
    picture = draw_annotation(image, read_shape({"segmentation": None, "bbox": [50, 50, 0, 0]}))

    assert picture is not None
    assert share(picture, BOX_COLOUR) > 0


def test_a_wrong_stated_size_is_framed(image: NDArray[np.uint8]) -> None:
    assert share(draw_image(image, [], (150, 200)), STATED_COLOUR) == 0
    assert share(draw_image(image, [], None), STATED_COLOUR) == 0
    assert share(draw_image(image, [], (200, 150)), STATED_COLOUR) > 0


def test_an_image_of_one_pixel_is_drawn() -> None:
    pixel = np.full((1, 1, 3), GREY, np.uint8)

    assert share(draw_image(pixel, [], (1, 1)), (GREY, GREY, GREY)) > 0
    assert draw_annotation(pixel, square(0, 0, 1)) is not None


@pytest.mark.parametrize("far", [1e6, -1e6])
def test_a_point_far_away_does_not_stop_the_rest(image: NDArray[np.uint8], far: float) -> None:
    shape = read_shape({"segmentation": [[50, 50, 60, 50, 60, 60, far, far]]})

    picture = draw_annotation(image, shape)

    assert picture is not None
    assert share(picture, MASK_COLOUR) > 0
