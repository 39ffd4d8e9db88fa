from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from segtune import masks
from segtune.dataset_report.shapes import read_shape
from tests.data.mutation import mutate

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]


def test_a_sound_annotation_is_drawn_whole() -> None:
    shape = read_shape({"segmentation": [SQUARE], "bbox": [2, 1, 4, 4]})

    assert shape.lacks == ()
    np.testing.assert_array_equal(shape.rings[0], [[2, 1], [6, 1], [6, 5], [2, 5]])
    np.testing.assert_array_equal(shape.box, [2, 1, 6, 5])
    np.testing.assert_array_equal(shape.extent, [2, 1, 6, 5])


@pytest.mark.parametrize(
    ("segmentation", "points", "lacks"),
    [
        pytest.param([SQUARE[:-1]], 3, (), id="odd number of coordinates"),
        pytest.param([SQUARE[:4]], 2, (), id="two points"),
        pytest.param(SQUARE, 4, (), id="one list too few"),
        pytest.param([[*SQUARE, float("nan"), 1.0]], 4, (), id="a point that is not finite"),
        pytest.param([[10**400, 0]], 0, ("its polygon has no points to draw",), id="huge"),
        pytest.param([["1", "2"]], 0, ("its polygon has no points to draw",), id="text"),
        pytest.param([SQUARE, {}], 4, ("a polygon of its mask has no points to draw",), id="half"),
        pytest.param([], 0, ("its mask is empty",), id="empty"),
        pytest.param(None, 0, ("it has no mask",), id="missing"),
        pytest.param("mask", 0, ("its mask cannot be read",), id="of no kind"),
    ],
)
def test_of_a_broken_polygon_its_sound_points_are_drawn(
    segmentation: Any, points: int, lacks: tuple[str, ...]
) -> None:
    shape = read_shape({"segmentation": segmentation})

    assert sum(map(len, shape.rings)) == points
    assert shape.lacks == lacks


@pytest.mark.parametrize(
    ("counts", "pixels"),
    [
        pytest.param([5, 3, 12], 3, id="whole"),
        pytest.param([5, 3], 3, id="too short"),
        pytest.param([5, 300], 15, id="too long"),
        pytest.param([5, -3, 12], 0, id="negative"),
        pytest.param(masks.encode(np.ones((4, 5), bool))["counts"], 20, id="compressed"),
    ],
)
def test_of_a_broken_rle_the_runs_that_fit_are_drawn(counts: Any, pixels: int) -> None:
    bitmap = read_shape({"segmentation": {"size": [4, 5], "counts": counts}}).bitmap

    assert bitmap is not None
    assert bitmap.shape == (4, 5)
    assert bitmap.sum() == pixels


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [4, 5], "counts": "\x00"},
        {"size": [4, 5], "counts": [1.5]},
        {"size": [4], "counts": [20]},
        {"size": [-4, 5], "counts": [20]},
        {"size": [10**9, 10**9], "counts": [20]},
        {},
    ],
)
def test_an_rle_without_a_size_or_counts_cannot_be_read(rle: Any) -> None:
    shape = read_shape({"segmentation": rle})

    assert shape.bitmap is None
    assert shape.lacks == ("its RLE cannot be read",)
    assert shape.extent is None


def test_runs_go_down_the_columns() -> None:
    shape = read_shape({"segmentation": {"size": [4, 5], "counts": [5, 3, 12]}})

    np.testing.assert_array_equal(shape.extent, [1, 1, 2, 4])


@pytest.mark.parametrize("bbox", [[1, 2, 3], "1 2 3 4", [1, 2, 3, None], [0, 0, float("nan"), 1]])
def test_a_box_that_is_none_is_said(bbox: Any) -> None:
    shape = read_shape({"segmentation": [SQUARE], "bbox": bbox})

    assert shape.box is None
    assert shape.lacks == ("its box cannot be drawn",)


def test_three_hundred_damaged_annotations_are_read() -> None:
    sound = {"segmentation": [SQUARE, SQUARE], "bbox": [2, 1, 4, 4]}
    num_read = 0
    for seed in range(300):
        try:
            entry = json.loads(mutate(sound, seed))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            read_shape(entry)
            num_read += 1
    assert num_read > 150
