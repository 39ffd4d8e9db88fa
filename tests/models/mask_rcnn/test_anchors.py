from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.mask_rcnn.anchors import cell_anchors, grid_anchors


def test_square_anchors_surround_the_origin() -> None:
    anchors = cell_anchors([32, 512])

    np.testing.assert_array_equal(anchors[1], [-16, -16, 16, 16])
    np.testing.assert_array_equal(anchors[4], [-256, -256, 256, 256])


def test_anchors_of_a_cell_come_side_by_side_and_from_wide_to_high() -> None:
    anchors = cell_anchors([32, 64])

    sizes = anchors[:, 2:] - anchors[:, :2]
    np.testing.assert_allclose(anchors[:, 2:], -anchors[:, :2])
    np.testing.assert_allclose(sizes.prod(axis=1), [32**2] * 3 + [64**2] * 3, rtol=1e-6)
    np.testing.assert_allclose(sizes[:, 1] / sizes[:, 0], [0.5, 1, 2] * 2, rtol=1e-6)


def test_a_wide_anchor_is_the_root_of_two_wider_than_the_square() -> None:
    (wide, _, _) = cell_anchors([2])

    np.testing.assert_allclose(wide, [-(2**0.5), -(2**-0.5), 2**0.5, 2**-0.5], rtol=1e-6)


def test_grid_goes_along_rows_and_all_anchors_of_a_cell_come_together() -> None:
    cells = np.array([[-1, -1, 1, 1], [-2, -1, 2, 1]], np.float32)

    anchors = grid_anchors(cells, 16, paddle.zeros([3, 7, 2, 3]))

    corners = [(x, y) for y in (0, 16) for x in (0, 16, 32)]  # no half of a cell is added
    expected = [
        box
        for x, y in corners
        for box in ([x - 1, y - 1, x + 1, y + 1], [x - 2, y - 1, x + 2, y + 1])
    ]
    np.testing.assert_array_equal(anchors.numpy(), expected)


@pytest.mark.parametrize("size_hw", [(0, 3), (2, 0)])
def test_a_feature_without_cells_has_no_anchors(size_hw: tuple[int, int]) -> None:
    anchors = grid_anchors(cell_anchors([32]), 4, paddle.zeros([1, 1, *size_hw]))

    assert list(anchors.shape) == [0, 4]
