"""Tests of the choice between polygon and RLE."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segtune import masks
from segtune.scenes.outline import segmentation_of


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_square_becomes_a_polygon_that_covers_exactly_it() -> None:
    bitmap = np.zeros((12, 12), bool)
    bitmap[3:9, 2:6] = True

    polygon = segmentation_of(bitmap)

    assert isinstance(polygon, list)
    assert len(polygon) == 1
    np.testing.assert_array_equal(masks.rasterise(polygon, (12, 12)), bitmap)


@pytest.mark.parametrize(
    "centre", [(60, 60), (0, 60), (119, 119)], ids=["inside", "side", "corner"]
)
def test_polygon_of_a_disc_is_accurate_at_the_border_of_the_picture_too(
    centre: tuple[int, int],
) -> None:
    rows, columns = np.mgrid[:120, :120]
    bitmap = np.hypot(rows - centre[0], columns - centre[1]) < 37.3

    polygon = segmentation_of(bitmap)

    assert isinstance(polygon, list)
    assert iou(masks.rasterise(polygon, (120, 120)), bitmap) >= 0.98


@pytest.mark.parametrize("content", ["hole", "two parts", "nothing"])
def test_what_a_polygon_cannot_say_becomes_exact_rle(content: str) -> None:
    bitmap = np.zeros((40, 40), np.uint8)
    if content == "hole":
        cv2.circle(bitmap, (20, 20), 12, 1, 5)
    elif content == "two parts":
        bitmap[5:10, 5:10] = bitmap[20:30, 20:30] = 1

    segmentation = segmentation_of(bitmap.astype(bool))

    assert isinstance(segmentation, dict)
    np.testing.assert_array_equal(masks.rasterise(segmentation, (40, 40)), bitmap.astype(bool))
