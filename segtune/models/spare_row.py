"""A row of zeros more, so that no operator of a traced graph ever sees a tensor without rows.

Under oneDNN, Paddle 3.3.1 fails on such tensors or crashes: sums, products, concatenations.

Shapes: R rows.
"""

from __future__ import annotations

import paddle
from paddle import Tensor


def with_spare_row(rows: Tensor) -> Tensor:
    """Return rows (R, ...) followed by zeros, (R + 1, ...)."""
    num_rows = paddle.shape(rows)[0]
    empty = paddle.zeros([num_rows + 1, *rows.shape[1:]], dtype=rows.dtype)
    # A scatter, which oneDNN leaves to Paddle's own kernel; `concat` of no rows crashes there.
    return paddle.scatter(empty, paddle.arange(num_rows), rows)
