"""Bilinear sampling of maps at any point, as weighted rows of a table.

Cells have their centres at (i + 0.5) / size. A point takes from the four cells around it; what
lies outside of the map counts as zero. Cells are looked up by number, which serves any device and
any number of maps at once, and is faster on a CPU than Paddle's `grid_sample`, backwards above all.

Shapes: S points, C channels, h x w map, ... any leading axes.
"""

from __future__ import annotations

import paddle
from paddle import Tensor


def four_cells(points: Tensor, size_wh: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cells around points, as row * w + column (..., 4) int64, and their weights.

    The weights (..., 4) carry the gradient of the points. Any cell of the map stands for one
    outside of it, which has no weight.

    Args:
        points: x, y (..., 2) in 0..1 of the map.
        size_wh: Width and height of the map, float32; its shape broadcasts to that of `points`.
    """
    places = points * size_wh - 0.5
    # Of a copy in double precision: oneDNN's graph takes the floor in place, over what is needed
    # for the shares.
    low = paddle.floor(places.astype("float64")).astype("float32")
    share = places - low
    columns, rows = (
        _two_lines(low[..., axis], share[..., axis], size_wh[..., axis]) for axis in (0, 1)
    )
    width = size_wh[..., 0]
    # Stacked last: all that comes before is several times as fast without an axis of two or four.
    corners = [
        (row * width + column, down * across) for row, down in rows for column, across in columns
    ]
    cells, weights = (paddle.stack(values, axis=-1) for values in zip(*corners, strict=True))
    return cells.astype("int64"), weights


def _two_lines(low: Tensor, share: Tensor, size: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the columns around points, as numbers (...), and their weights (...); so for rows.

    Args:
        low: The column before each point.
        share: Of the next column.
        size: Number of columns.
    """
    lines = []
    for line, weight in ((low, 1 - share), (low + 1, share)):
        inside = (line >= 0) & (line < size)
        is_inside = inside.astype(weight.dtype)
        # Also of a point that is not a number; `zeros_like` warns while it is traced.
        lines.append((paddle.where(inside, line, 0 * is_inside), weight * is_inside))
    return lines


def sample_map(cells: Tensor, size_hw: tuple[int, int], points: Tensor) -> Tensor:
    """Return the values (S, C) float32 of a map at points.

    Args:
        cells: (h * w, C), row by row of the map; of any type.
        size_hw: h and w.
        points: x, y (S, 2) in 0..1.
    """
    size_wh = paddle.to_tensor([[float(size_hw[1]), float(size_hw[0])]])
    index, weights = four_cells(points, size_wh)  # (S, 4) each
    taken = paddle.gather(cells, index.flatten()).astype(weights.dtype)
    taken = taken.reshape([points.shape[0], 4, -1])
    return paddle.bmm(weights.unsqueeze(1), taken).squeeze(1)
