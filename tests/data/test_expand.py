from __future__ import annotations

import numpy as np

from segtune.data.expand import draw_canvas
from segtune.data.window import Window


def test_the_canvas_grows_alike_on_both_sides_and_holds_the_image() -> None:
    generator = np.random.default_rng(0)

    canvases = [draw_canvas((100, 200), 4.0, generator) for _ in range(500)]

    for canvas in canvases:
        assert canvas.top <= 0
        assert canvas.left <= 0
        assert canvas.top + canvas.height >= 100
        assert canvas.left + canvas.width >= 200
        assert abs(canvas.width - 2 * canvas.height) <= 1
    heights = [canvas.height for canvas in canvases]
    assert 100 <= min(heights) < 110
    assert 390 < max(heights) <= 400


def test_ratio_one_leaves_the_image_alone() -> None:
    canvas = draw_canvas((30, 40), 1.0, np.random.default_rng(0))

    assert canvas == Window.whole((30, 40))


def test_an_image_of_one_pixel_finds_a_canvas() -> None:
    generator = np.random.default_rng(0)

    sizes = {draw_canvas((1, 1), 4.0, generator).size_hw for _ in range(50)}

    assert sizes == {(1, 1), (2, 2), (3, 3)}
