from __future__ import annotations

import numpy as np
import pytest
import shapely

from segtune.data.ring_rules import _is_star, outlines
from segtune.data.rings import RingChunk

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
PENTAGRAM = [(0, 3), (2, -3), (-3, 1), (3, 1), (-2, -3)]  # one way all along, but twice around


def chunk_of(*rings: list[tuple[float, float]]) -> RingChunk:
    starts = np.cumsum([0, *map(len, rings)])
    points = np.array([point for ring in rings for point in ring], np.float64)
    return RingChunk(points, starts, np.arange(len(rings)))


@pytest.mark.parametrize(
    ("ring", "is_star"),
    [
        pytest.param(SQUARE, True, id="square"),
        pytest.param(SQUARE[::-1], True, id="the other way"),
        pytest.param([SQUARE[i] for i in (0, 2, 1, 3)], False, id="crossed"),
        pytest.param(PENTAGRAM, False, id="pentagram"),
        pytest.param([*SQUARE, *SQUARE], False, id="twice around"),
        pytest.param([(0, 0), (4, 0), (8, 0)], False, id="flat"),
        pytest.param([(0, 0), (9, 0), (9, 9), (8, 9), (8, 1), (0, 1)], False, id="an L"),
    ],
)
def test_a_ring_that_never_turns_back_is_told_from_others(
    ring: list[tuple[float, float]], is_star: bool
) -> None:
    assert _is_star(chunk_of(SQUARE, ring, PENTAGRAM)).tolist() == [True, is_star, False]


def test_no_ring_that_never_turns_back_crosses_itself() -> None:
    rng = np.random.default_rng(0)
    rings = [list(map(tuple, rng.random((rng.integers(3, 8), 2)))) for _ in range(3000)]
    chunk = chunk_of(*rings)

    stars = np.flatnonzero(_is_star(chunk))

    assert 300 < len(stars) < 3000
    assert shapely.is_simple(outlines(chunk, stars)).all()
