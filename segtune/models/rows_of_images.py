"""Rows out of a table that every image of a batch has for itself."""

from __future__ import annotations

import paddle
from paddle import Tensor


def rows_of_images(table: Tensor, rows: Tensor) -> Tensor:
    """Return the rows (N, Q) of each image's own table (N, L, ...), as (N, Q, ...)."""
    images = paddle.arange(paddle.shape(table)[0], dtype="int64").unsqueeze(1)
    flat = (images * _length(table) + rows).flatten()
    chosen = paddle.gather(table.flatten(0, 1), flat)
    return chosen.reshape([-1, _length(rows), *table.shape[2:]])


def _length(rows: Tensor) -> int | Tensor:
    """Return the size of the second axis; an exported graph knows some only when it runs."""
    known: int = rows.shape[1]
    return known if known >= 0 else paddle.shape(rows)[1].astype("int64")
