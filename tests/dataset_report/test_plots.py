from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from segtune.dataset_report import plots

NONE = np.zeros(0)


def rectangles(svg: str, kind: str) -> list[dict[str, str]]:
    return [each.attrib for each in ElementTree.fromstring(svg) if each.get("class") == kind]


def texts(svg: str, kind: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg) if each.get("class") == kind]


def test_bars_are_as_high_as_their_share() -> None:
    values = {"train": np.array([1.0, 1, 1, 3]), "val": NONE}

    svg = plots.histogram(values, plots.count_axis(3), "counts")

    bars = [float(bar["height"]) for bar in rectangles(svg, "train")]
    assert len(bars) == 2
    assert bars[0] == pytest.approx(3 * bars[1], abs=0.2)
    assert texts(svg, "x") == ["0", "1", "2", "3"]


def test_values_beyond_the_bins_count_into_the_outermost() -> None:
    values = {"train": np.array([-9.0, 9.0]), "val": np.array([0.1])}

    svg = plots.histogram(values, plots.ratio_axis(), "ratios")

    assert next(float(bar["height"]) for bar in rectangles(svg, "train")) > 1
    assert len(rectangles(svg, "train")) == 2


def test_a_histogram_of_nothing_has_its_axis() -> None:
    svg = plots.histogram({"train": NONE, "val": NONE}, plots.size_axis(0), "nothing")

    assert rectangles(svg, "train") == []
    assert "nan" not in svg


def test_no_text_of_a_percentage_is_said_twice() -> None:
    for highest in (1, 2, 3, 10, 100):
        values = {"train": np.arange(highest, dtype=float), "val": NONE}
        labels = texts(plots.histogram(values, plots.count_axis(highest), ""), "y")
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("most", [0, 1, 29, 30, 1000])
def test_every_number_of_instances_has_a_bin(most: int) -> None:
    axis = plots.count_axis(most)

    assert axis.edges[0] < 0
    assert axis.edges[-1] > most
    assert len(axis.edges) <= 31
    assert len(axis.ticks) <= 8


def test_the_fullest_cell_of_a_heat_map_is_the_strongest() -> None:
    points = np.array([[0.1, 0.1]] * 4 + [[0.9, 0.9], [1.0, 1.0]])

    cells = rectangles(plots.heat_map(points, "positions"), "heat")

    assert sorted(float(cell["opacity"]) for cell in cells) == [0.5, 1.0]
    assert rectangles(plots.heat_map(np.zeros((0, 2)), ""), "heat") == []


def test_the_text_for_those_who_do_not_see_it_is_escaped() -> None:
    svg = plots.heat_map(np.zeros((0, 2)), '"><script>')

    assert re.search("<script", svg) is None
    assert ElementTree.fromstring(svg).get("aria-label") == '"><script>'
