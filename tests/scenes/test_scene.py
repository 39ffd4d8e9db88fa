"""Tests of single scenes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.scenes.scene import Scene, draw_scene
from segtune.scenes.things import KINDS


def scenes(count: int) -> list[Scene]:
    return [draw_scene(np.random.default_rng(seed), (320, 320), "things") for seed in range(count)]


def holes(bitmap: NDArray[np.bool_]) -> int:
    _, tree = cv2.findContours(bitmap.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return sum(1 for *_, parent in tree[0] if parent >= 0)


def test_scene_depends_on_its_seed_alone() -> None:
    one, same = (draw_scene(np.random.default_rng(3), (96, 128), "things") for _ in range(2))
    other = draw_scene(np.random.default_rng(4), (96, 128), "things")

    np.testing.assert_array_equal(one.image, same.image)
    assert [seen.label for seen in one.seen] == [seen.label for seen in same.seen]
    assert np.any(one.image != other.image)


def test_masks_share_no_pixel_and_none_is_empty() -> None:
    for scene in scenes(6):
        stack = np.array([seen.bitmap for seen in scene.seen])

        assert 3 <= len(stack) <= 8
        assert stack.sum(axis=0).max() == 1
        assert stack.any(axis=(1, 2)).all()


def test_outlines_of_masks_lie_on_the_edges_of_the_picture() -> None:
    """Brightness changes more along the outlines than along the same outlines moved aside."""
    on_outlines, beside = 0.0, 0.0
    for scene in scenes(6):
        grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
        change = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        for seen in scene.seen:
            bitmap = seen.bitmap.astype(np.uint8)
            outline = (bitmap != cv2.erode(bitmap, np.ones((3, 3), np.uint8))).astype(bool)
            on_outlines += change[outline].mean()
            beside += change[np.roll(outline, (4, 4), axis=(0, 1))].mean()

    assert on_outlines > 1.5 * beside


def test_washers_keep_their_hole() -> None:
    washers = [
        seen.bitmap
        for scene in scenes(8)
        for seen in scene.seen
        if KINDS[seen.label].name == "washer"
    ]
    inside = [bitmap for bitmap in washers if not _touches_border(bitmap)]

    assert len(inside) > 3
    assert sum(holes(bitmap) >= 1 for bitmap in inside) > len(inside) / 2


def test_some_things_hide_parts_of_others() -> None:
    """A thing alone is in one part, so two parts come from something that lies across it."""
    parts = [
        cv2.connectedComponents(seen.bitmap.astype(np.uint8))[0] - 1
        for scene in scenes(12)
        for seen in scene.seen
    ]

    assert max(parts) > 1


def test_scene_with_nothing_shows_its_ground_only() -> None:
    scene = draw_scene(np.random.default_rng(0), (96, 96), "nothing")

    assert scene.seen == ()
    assert scene.image.std() > 2


def test_heap_is_one_crowd_among_single_things() -> None:
    scene = draw_scene(np.random.default_rng(0), (320, 320), "heap")

    crowds = [seen for seen in scene.seen if seen.is_crowd]

    assert len(crowds) == 1
    assert KINDS[crowds[0].label].name == "button"
    assert len(scene.seen) >= 3
    assert np.count_nonzero(crowds[0].bitmap) > 1000


@pytest.mark.parametrize("size_hw", [(64, 64), (100, 300), (640, 480)])
def test_scene_has_the_size_that_was_asked_for(size_hw: tuple[int, int]) -> None:
    scene = draw_scene(np.random.default_rng(1), size_hw, "things")

    assert scene.image.shape == (*size_hw, 3)
    assert scene.image.dtype == np.uint8
    assert {seen.bitmap.shape for seen in scene.seen} == {size_hw}


def _touches_border(bitmap: NDArray[np.bool_]) -> bool:
    return bool(bitmap[[0, -1]].any() or bitmap[:, [0, -1]].any())
