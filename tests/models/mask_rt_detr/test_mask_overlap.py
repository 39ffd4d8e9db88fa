from __future__ import annotations

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray

from segtune.models.mask_rt_detr.mask_overlap import mask_grids, mask_overlaps
from tests.models.mask_rt_detr.units import unit_targets

LEFT, NOTHING, EVERYTHING = 0, 1, 2  # what a filter finds


def overlaps(filters: list[int], masks: NDArray[np.bool_], instances: list[int]) -> list[float]:
    """Overlaps of filters on a map of 2 x 2 pixels, which is compared as 4 x 4."""
    channels = [[[1.0, -1], [1, -1]], [[-1, -1], [-1, -1]], [[1, 1], [1, 1]]]
    targets = unit_targets([[0] * len(masks)], masks[None])
    (grid,) = mask_grids(paddle.to_tensor([channels]), targets)
    of_filters = paddle.nn.functional.one_hot(paddle.to_tensor(filters), 3)
    result = mask_overlaps(of_filters, grid, paddle.to_tensor(instances))
    return list(result.tolist())


def test_overlap_is_of_cells_at_stride_2() -> None:
    masks = np.zeros((3, 8, 8), bool)
    masks[0, :, :4] = True  # left half: 8 cells
    masks[1] = True  # 16 cells

    found = overlaps([LEFT, LEFT, LEFT, EVERYTHING, NOTHING, NOTHING], masks, [0, 1, 2, 0, 1, 2])

    two_empty_masks = 1
    expected = [1, 8.01 / 16.01, 0.01 / 8.01, 8.01 / 16.01, 0.01 / 16.01, two_empty_masks]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("num_pixels", "cells"), [(2, 0), (3, 1), (4, 1)])
def test_a_cell_belongs_to_an_instance_that_has_more_than_half_of_it(
    num_pixels: int, cells: int
) -> None:
    masks = np.zeros((1, 8, 8), bool)
    masks[0, [2, 2, 3, 3][:num_pixels], [4, 5, 4, 5][:num_pixels]] = True

    found = overlaps([EVERYTHING], masks, [0])

    np.testing.assert_allclose(found, [(cells + 0.01) / 16.01], rtol=1e-5)


def test_many_pairs_are_worked_on_in_order() -> None:
    masks = np.zeros((2, 8, 8), bool)
    masks[1] = True
    filters = ([NOTHING, EVERYTHING, EVERYTHING] * 14)[:40]
    instances = [number // 5 % 2 for number in range(40)]

    found = overlaps(filters, masks, instances)

    alone = [
        overlaps([filter_], masks, [instance])[0]
        for filter_, instance in zip(filters, instances, strict=True)
    ]
    np.testing.assert_allclose(found, alone, rtol=1e-6)
