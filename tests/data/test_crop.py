from __future__ import annotations

import numpy as np
import pytest

from segtune.data.crop import draw_crop, keeps
from segtune.data.window import Window


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        pytest.param([12, 12, 18, 18], True, id="inside"),
        pytest.param([5, 12, 15, 18], True, id="centre on the left edge"),
        pytest.param([25, 12, 35, 18], False, id="centre on the right edge"),
        pytest.param([12, 25, 18, 35], False, id="centre on the bottom edge"),
        pytest.param([0, 0, 11, 11], False, id="overlaps, centre outside"),
        pytest.param([0, 0, 40, 40], True, id="larger than the crop"),
        pytest.param([15, 15, 15, 18], False, id="without area"),
    ],
)
def test_a_crop_keeps_boxes_by_their_centre(box: list[float], kept: bool) -> None:
    window = Window(top=10, left=10, height=20, width=20)

    assert keeps(window, np.array([box], np.float64)).tolist() == [kept]


def test_crops_are_in_the_canvas_and_keep_a_box() -> None:
    generator = np.random.default_rng(0)
    boxes = np.array([[10, 20, 60, 90], [100, 5, 150, 40]], np.float64)

    crops = [draw_crop(boxes, (120, 160), generator) for _ in range(500)]

    drawn = [crop for crop in crops if crop is not None]
    for crop in drawn:
        assert 0 <= crop.top <= 120 - crop.height
        assert 0 <= crop.left <= 160 - crop.width
        assert keeps(crop, boxes).any()
        share = crop.height * crop.width / (120 * 160)
        assert 0.08 < share <= 1  # 0.3 squared, less what rounding down takes
        assert 0.48 < (crop.width / 160) / (crop.height / 120) < 2.08
    assert 0.5 < len(drawn) / len(crops) < 0.95  # "no crop" is one of seven choices


def test_the_best_overlap_reaches_each_threshold_now_and_then() -> None:
    generator = np.random.default_rng(0)
    boxes = np.array([[20, 20, 100, 140]], np.float64)

    crops = [draw_crop(boxes, (160, 160), generator) for _ in range(300)]

    ious = []
    for crop in crops:
        if crop is None:
            continue
        box = crop.clip(crop.shift(boxes))[0]
        shared = (box[2] - box[0]) * (box[3] - box[1])
        ious.append(shared / (crop.height * crop.width + 80 * 120 - shared))
    assert max(ious) > 0.7
    assert min(ious) < 0.3


def test_without_boxes_nothing_is_cropped() -> None:
    assert draw_crop(np.zeros((0, 4)), (50, 50), np.random.default_rng(0)) is None


def test_an_image_of_one_pixel_can_be_cropped() -> None:
    generator = np.random.default_rng(0)
    boxes = np.array([[0, 0, 1, 1]], np.float64)

    crops = {draw_crop(boxes, (1, 1), generator) for _ in range(30)}

    assert crops == {None, Window.whole((1, 1))}
