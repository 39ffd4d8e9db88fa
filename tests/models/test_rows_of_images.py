from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.rows_of_images import rows_of_images


def test_every_image_takes_from_its_own_table() -> None:
    table = paddle.to_tensor([[[1, 2], [3, 4], [5, 6]], [[10, 20], [30, 40], [50, 60]]])
    rows = paddle.to_tensor([[2, 0], [1, 1]])

    chosen = rows_of_images(table, rows)

    np.testing.assert_array_equal(chosen.numpy(), [[[5, 6], [1, 2]], [[30, 40], [30, 40]]])


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32"])
def test_entries_may_be_single_numbers_of_any_type(dtype: str) -> None:
    table = paddle.to_tensor([[1, 0], [0, 1]]).astype(dtype)
    rows = paddle.to_tensor([[0, 0, 1], [0, 0, 1]])

    chosen = rows_of_images(table, rows)

    assert chosen.dtype == table.dtype
    np.testing.assert_array_equal(chosen.astype("int64").numpy(), [[1, 1, 0], [0, 0, 1]])


def test_gradient_reaches_the_rows_that_were_taken_as_often_as_they_were() -> None:
    table = paddle.zeros([2, 3, 1])
    table.stop_gradient = False

    rows_of_images(table, paddle.to_tensor([[0, 0], [2, 1]])).sum().backward()

    np.testing.assert_array_equal(table.grad.numpy()[:, :, 0], [[2, 0, 0], [0, 1, 1]])
