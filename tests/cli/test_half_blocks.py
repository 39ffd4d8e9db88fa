from __future__ import annotations

import numpy as np

from segtune.cli.half_blocks import half_blocks


def test_a_character_shows_one_pixel_above_another() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)

    text = half_blocks(image, (40, 80))

    assert text.plain == "▀▀\n"
    styles = [(span.style.color.triplet, span.style.bgcolor.triplet) for span in text.spans]  # type: ignore[union-attr]
    assert styles == [((255, 0, 0), (0, 0, 255)), ((0, 255, 0), (9, 9, 9))]


def test_a_picture_is_scaled_down_to_fit_and_never_up() -> None:
    image = np.zeros((100, 200, 3), np.uint8)

    lines = half_blocks(image, (20, 20)).plain.splitlines()

    assert (len(lines), len(lines[0])) == (5, 20)
