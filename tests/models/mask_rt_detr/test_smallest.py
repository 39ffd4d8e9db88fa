from __future__ import annotations

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray

from segtune.models.mask_rt_detr.smallest import smallest_places


def places(rows: list[list[float]] | NDArray[np.float32], count: int) -> list[list[int]]:
    found = smallest_places(paddle.to_tensor(rows, "float32"), count)
    assert found.dtype == paddle.int64
    return np.sort(found.numpy(), axis=1).tolist()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param([5, 1, 4, 2], [1, 3], id="unlike values"),
        pytest.param([5, 5, 1, 5], [0, 2], id="equal ones at the limit: the first of them"),
        pytest.param([3, 3, 3, 3], [0, 1], id="all equal"),
        pytest.param([float("nan"), 2, float("inf"), 1], [1, 3], id="some are not numbers"),
        pytest.param([float("nan")] * 4, [0, 1], id="none is a number"),
    ],
)
def test_the_two_smallest_of_a_row_are_found(row: list[float], expected: list[int]) -> None:
    assert places([row, [1, 2, 3, 4]], 2) == [expected, [0, 1]]


@pytest.mark.parametrize("count", [1, 50, 1000, 3999, 4000])
@pytest.mark.parametrize("order", ["random", "ascending", "descending"])
def test_long_rows_are_sorted_out_exactly_in_any_order(count: int, order: str) -> None:
    rows = np.random.default_rng(0).standard_normal((3, 4000)).astype(np.float32)
    if order != "random":  # the beginning of a row says nothing about the rest
        rows.sort(axis=1)
        rows = rows if order == "ascending" else rows[:, ::-1].copy()

    found = places(rows, count)

    assert found == np.sort(np.argsort(rows, axis=1)[:, :count], axis=1).tolist()
