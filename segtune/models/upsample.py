"""Enlargement without interpolation operators, which Paddle 3.3.1 cannot run under oneDNN.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn


def linear_weights(positions: Tensor, num_inputs: int | Tensor, num_cells: int) -> Tensor:
    """Return what positions (M, L) among inputs take from each of k cells, (M, L, k).

    Inputs lie side by side over the cells, as the pixels of an image over a smaller map of it;
    a position takes linearly from the two cells whose centres are nearest.

    Args:
        positions: Numbers of inputs.
        num_inputs: One number for all, or one for each row (M, 1, 1).
        num_cells: k.
    """
    stride = num_inputs / num_cells
    cells = ((positions.unsqueeze(2) + 0.5) / stride - 0.5).clip(0, num_cells - 1)
    return F.relu(1 - (cells - paddle.arange(num_cells, dtype="float32")).abs())


class NearestX2(nn.Layer):
    """Every cell becomes four equal ones."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C, 2h, 2w)."""
        twice = x.unsqueeze([3, 5]).expand([-1, -1, -1, 2, -1, 2])  # (N, C, h, 2, w, 2)
        return twice.flatten(4, 5).flatten(2, 3)


class BilinearX2(nn.Layer):
    """Linear interpolation along rows and columns, each as a product with constant weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C, 2h, 2w)."""
        channels, height, width = x.shape[1:]
        rows, columns = _double(height), _double(width)
        # In three dimensions: oneDNN gets a product of a convolution's four wrong.
        flat = x.reshape([-1, height, width])
        wide = paddle.matmul(flat, columns, transpose_y=True)  # (N * C, h, 2w)
        return paddle.matmul(rows, wide).reshape([-1, channels, 2 * height, 2 * width])


def _double(num_cells: int) -> Tensor:
    """Return the weights (2k, k) that double k cells."""
    positions = paddle.arange(2 * num_cells, dtype="float32").unsqueeze(0)
    return linear_weights(positions, 2 * num_cells, num_cells)[0]
