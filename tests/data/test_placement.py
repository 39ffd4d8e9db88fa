from __future__ import annotations

import cv2
import numpy as np
import pytest

from segtune.data.placement import Placement
from segtune.data.window import Window


def _step_by_step(
    bitmap: np.ndarray, placement: Placement, size_hw: tuple[int, int], stride: int
) -> np.ndarray:
    """Lay a bitmap on a large canvas, cut, mirror, resize and thin it, one after the other."""
    margin, window = 300, placement.window
    canvas = np.pad(bitmap.astype(np.uint8), margin)
    top, left = window.top + margin, window.left + margin
    cut = canvas[top : top + window.height, left : left + window.width]
    if placement.mirrored:
        cut = cut[:, ::-1]
    resized = cv2.resize(np.ascontiguousarray(cut), size_hw[::-1], interpolation=cv2.INTER_NEAREST)
    return resized[::stride, ::stride]


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("seed", range(20))
def test_sampling_equals_cutting_mirroring_and_resizing(seed: int, stride: int) -> None:
    generator = np.random.default_rng(seed)
    bitmap = generator.random((45, 60)) < 0.5
    top, left = generator.integers(-200, 40, 2).tolist()
    height = int(generator.integers(max(1, -top + 1), 300))
    width = int(generator.integers(max(1, -left + 1), 300))
    placement = Placement(Window(top, left, height, width), mirrored=bool(seed % 2))
    size_hw = (int(generator.integers(20, 400)), int(generator.integers(20, 400)))

    np.testing.assert_array_equal(
        placement.sample(bitmap, size_hw, stride),
        _step_by_step(bitmap, placement, size_hw, stride),
    )


def test_the_whole_image_at_its_size_is_the_mask_itself() -> None:
    bitmap = np.eye(5, 7, dtype=bool)
    placement = Placement(Window.whole((5, 7)), mirrored=False)

    np.testing.assert_array_equal(placement.sample(bitmap, (5, 7), 1), bitmap)


@pytest.mark.parametrize(
    ("window", "shown"),
    [
        pytest.param(Window(0, 0, 3, 3), False, id="beside the mask"),
        pytest.param(Window(-5, -5, 9, 9), True, id="one pixel of it"),
    ],
)
def test_a_mask_is_shown_when_one_pixel_is(window: Window, shown: bool) -> None:
    bitmap = np.zeros((6, 6), dtype=bool)
    bitmap[3:, 3:] = True

    assert Placement(window, mirrored=False).shows_any(bitmap) is shown
