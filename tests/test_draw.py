"""Tests of the overlay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune import masks
from segtune.categories import Categories
from segtune.draw import overlay
from segtune.instances import Instances

CATEGORIES = Categories([(1, "ring"), (2, "disc")])
GREY = 128


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.full((240, 320, 3), GREY, np.uint8)


def instances_of(
    *rectangles: tuple[int, int, int, int],
    labels: list[int] | None = None,
    scores: list[float] | None = None,
    size_hw: tuple[int, int] = (240, 320),
) -> Instances:
    """Return one instance a rectangle (left, top, right, bottom)."""
    bitmaps = np.zeros((len(rectangles), *size_hw), bool)
    for bitmap, (left, top, right, bottom) in zip(bitmaps, rectangles, strict=True):
        bitmap[top:bottom, left:right] = True
    count = len(rectangles)
    return Instances(
        np.array(rectangles, np.float32).reshape(count, 4),
        np.array([0.9] * count if scores is None else scores, np.float32),
        np.array([0] * count if labels is None else labels, np.int64),
        masks.encode_all(bitmaps),
        size_hw,
    )


def is_grey(pixel: NDArray[np.uint8]) -> bool:
    return bool((pixel == GREY).all())


def test_image_without_instances_comes_back_as_an_equal_copy(image: NDArray[np.uint8]) -> None:
    drawn = overlay(image, Instances.none((240, 320)), CATEGORIES)

    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_given_image_is_left_as_it_is(image: NDArray[np.uint8]) -> None:
    overlay(image, instances_of((100, 100, 200, 200)), CATEGORIES)

    assert (image == GREY).all()


def test_mask_is_tinted_and_its_surroundings_are_not(image: NDArray[np.uint8]) -> None:
    drawn = overlay(image, instances_of((100, 100, 200, 200)), CATEGORIES)

    assert not is_grey(drawn[150, 150])
    assert is_grey(drawn[220, 150])
    assert is_grey(drawn[150, 220])


def test_hole_shows_the_picture(image: NDArray[np.uint8]) -> None:
    bitmap = np.zeros((240, 320), bool)
    bitmap[60:200, 60:200] = True
    bitmap[100:160, 100:160] = False
    ring = Instances(
        np.array([[60, 60, 200, 200]], np.float32),
        np.array([0.9], np.float32),
        np.array([0]),
        (masks.encode(bitmap),),
        (240, 320),
    )

    drawn = overlay(image, ring, CATEGORIES)

    assert is_grey(drawn[130, 130])
    assert not is_grey(drawn[80, 180])
    # The contour runs around the hole too, stronger than the tint.
    tint, contour = drawn[80, 180].astype(int), drawn[130, 99].astype(int)
    assert np.abs(contour - GREY).sum() > np.abs(tint - GREY).sum()


def test_instances_below_the_threshold_are_not_drawn(image: NDArray[np.uint8]) -> None:
    weak = instances_of((100, 100, 200, 200), scores=[0.3])

    np.testing.assert_array_equal(overlay(image, weak, CATEGORIES, threshold=0.5), image)
    assert not is_grey(overlay(image, weak, CATEGORIES, threshold=0.3)[150, 150])


def test_colour_of_a_class_does_not_depend_on_the_other_instances(image: NDArray[np.uint8]) -> None:
    alone = overlay(image, instances_of((100, 100, 200, 200), labels=[1]), CATEGORIES)
    pair = instances_of((10, 100, 60, 200), (100, 100, 200, 200), labels=[0, 1])
    together = overlay(image, pair, CATEGORIES)

    np.testing.assert_array_equal(together[150, 150], alone[150, 150])


def test_instances_of_one_class_have_unlike_shades(image: NDArray[np.uint8]) -> None:
    rectangles = [(left, 100, left + 20, 200) for left in range(20, 290, 30)]

    drawn = overlay(image, instances_of(*rectangles), CATEGORIES)

    colours = {tuple(drawn[150, left + 10]) for left, *_ in rectangles}
    assert len(colours) == len(rectangles)


@pytest.mark.parametrize("size_hw", [(20, 30), (100, 100), (1500, 2000)])
def test_pictures_of_any_size_can_be_drawn_on(size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    image = np.full((*size_hw, 3), GREY, np.uint8)
    whole = instances_of((0, 0, width, height), size_hw=size_hw)

    drawn = overlay(image, whole, CATEGORIES)

    assert drawn.shape == image.shape
    assert not is_grey(drawn[height // 2, width // 2])


def test_mask_without_pixels_and_box_beyond_the_picture_are_harmless(
    image: NDArray[np.uint8],
) -> None:
    nothing = Instances(
        np.array([[300, 220, 400, 300]], np.float32),
        np.array([0.9], np.float32),
        np.array([1]),
        (masks.encode(np.zeros((240, 320), bool)),),
        (240, 320),
    )

    drawn = overlay(image, nothing, CATEGORIES)

    assert is_grey(drawn[100, 100])


def test_tags_of_instances_in_one_place_keep_off_each_other(image: NDArray[np.uint8]) -> None:
    one = overlay(image, instances_of((100, 100, 110, 110)), CATEGORIES)
    two = overlay(image, instances_of(*[(100, 100, 110, 110)] * 2, labels=[0, 1]), CATEGORIES)

    # The second tag finds another place, so more of the picture outside the box is covered.
    outside = np.ones((240, 320), bool)
    outside[98:112, 98:112] = False
    covered = [np.count_nonzero((drawn != GREY).any(axis=2) & outside) for drawn in (one, two)]
    assert covered[1] > 1.7 * covered[0] > 0


def test_picture_of_another_size_is_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="on an image of"):
        overlay(image, Instances.none((10, 10)), CATEGORIES)


def test_tags_say_as_much_as_is_asked_for(image: NDArray[np.uint8]) -> None:
    shown = instances_of((80, 100, 160, 180))
    with_score, with_name, without = (
        overlay(image, shown, CATEGORIES, tags=tags) for tags in ("name and score", "name", "none")
    )

    def outside(drawn: NDArray[np.uint8]) -> int:
        changed = (drawn != GREY).any(axis=2)
        changed[98:183, 78:163] = False
        return int(changed.sum())

    assert outside(with_score) > outside(with_name) > outside(without) == 0
