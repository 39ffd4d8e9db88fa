from __future__ import annotations

import numpy as np
import pytest

from segtune import masks
from segtune.outlines import join, trace
from tests.formats.labelled import SIZE, Bitmap, rectangle_bitmap


def _holed() -> Bitmap:
    return rectangle_bitmap(10, 10, 40, 40) & ~rectangle_bitmap(20, 20, 30, 30)


def test_parts_come_with_their_holes() -> None:
    bitmap = _holed() | rectangle_bitmap(60, 5, 70, 15)

    outlines = trace(bitmap)

    assert sorted(outline.is_hole for outline in outlines) == [False, False, True]
    hole = next(number for number, outline in enumerate(outlines) if outline.is_hole)
    assert outlines[hole - 1].points.min(axis=0).round().tolist() == [10, 10]


def test_the_outline_of_a_part_rasterises_to_the_part() -> None:
    bitmap = rectangle_bitmap(10, 10, 41, 23)

    (outline,) = trace(bitmap)

    ring = outline.points.ravel().tolist()
    np.testing.assert_array_equal(masks.rasterise([ring], SIZE), bitmap)


def test_one_pixel_is_an_outline_and_nothing_has_none() -> None:
    assert len(trace(rectangle_bitmap(5, 5, 6, 6))) == 1
    assert trace(np.zeros(SIZE, bool)) == []


@pytest.mark.parametrize("seed", range(5))
def test_joined_rings_enclose_what_the_rings_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bitmap = np.zeros(SIZE, bool)
    for row in range(3):
        for column in range(4):
            if rng.random() < 0.7:
                left, top = (
                    column * 20 + int(rng.integers(0, 8)),
                    row * 20 + int(rng.integers(0, 8)),
                )
                bitmap |= rectangle_bitmap(left, top, left + 10, top + 10)
                bitmap &= ~rectangle_bitmap(left + 3, top + 3, left + 7, top + 7)

    ring = join([outline.points for outline in trace(bitmap)])

    joined = masks.rasterise([ring.ravel().tolist()], SIZE)
    apart = np.zeros(SIZE, bool)
    for outline in trace(bitmap):
        apart ^= masks.rasterise([outline.points.ravel().tolist()], SIZE)
    # Bridges have no width, but pycocotools rounds their ends.
    assert (joined != apart).sum() <= 0.01 * apart.sum()


def test_one_ring_stays_as_it_is_and_none_cannot_be_joined() -> None:
    ring = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])

    np.testing.assert_array_equal(join([ring]), ring)
    with pytest.raises(ValueError, match="no ring to join"):
        join([])
