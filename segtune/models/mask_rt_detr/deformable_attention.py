"""Attention to a few sampled points of all levels, instead of to every cell.

Shapes: N images, Q queries, D width, A heads, L cells of all levels, S samples of a head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.bilinear import four_cells
from segtune.models.mask_rt_detr.initialised import xavier_linear, zeros


class DeformableAttention(nn.Layer):
    """Multi-scale deformable attention (https://arxiv.org/abs/2010.04159) around boxes.

    Args:
        dim: D.
        num_heads: A.
        num_levels: Feature maps.
        num_points: Samples of each head on each level; S is their number on all levels.
    """

    def __init__(self, dim: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.num_levels = num_levels
        self.num_points = num_points
        samples = num_heads * num_levels * num_points
        rays = nn.initializer.Assign(_rays(num_heads, num_levels, num_points).ravel())
        self.sampling_offsets = nn.Linear(dim, 2 * samples, weight_attr=zeros(), bias_attr=rays)
        self.attention_weights = nn.Linear(dim, samples, weight_attr=zeros(), bias_attr=zeros())
        self.value_proj = xavier_linear(dim, dim, bias=zeros())
        self.output_proj = xavier_linear(dim, dim, bias=zeros())

    def forward(
        self, query: Tensor, boxes: Tensor, memory: Tensor, sizes_hw: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Read from memory around the boxes of queries; return (N, Q, D).

        Args:
            query: (N, Q, D).
            boxes: Centre and size (N, Q, 4) in 0..1 of the image; offsets are parts of the size.
            memory: (N, L, D), level after level, row by row.
            sizes_hw: Of the levels.
        """
        heads, samples = self.num_heads, self.num_levels * self.num_points
        dim, num_queries, num_cells = query.shape[2], query.shape[1], memory.shape[1]
        offsets = self.sampling_offsets(query).reshape([-1, num_queries, heads, samples, 2])
        shares = self.attention_weights(query).reshape([-1, num_queries, heads, samples])
        centres, sides = (part.unsqueeze([2, 3]) for part in paddle.split(boxes, 2, axis=-1))
        points = centres + offsets * (0.5 / self.num_points) * sides  # (N, Q, A, S, 2)

        size_wh, first_cells = self._levels(sizes_hw)
        cells, weights = four_cells(points, size_wh)  # (N, Q, A, S, 4) each
        weights = weights * F.softmax(shares, axis=-1).unsqueeze(-1)
        # One sum of the products: oneDNN's graph gets a longer chain of integers wrong, in place.
        images = paddle.arange(paddle.shape(memory)[0], dtype="int64").reshape([-1, 1, 1, 1, 1])
        own = paddle.arange(heads, dtype="int64").reshape([1, 1, -1, 1, 1])
        rows = cells * heads + (first_cells * heads + own + images * (num_cells * heads))
        values = self.value_proj(memory).reshape([-1, dim // heads])  # (N * L * A, D/A)
        taken = paddle.gather(values, rows.flatten()).reshape([-1, 4 * samples, dim // heads])
        read = paddle.bmm(weights.reshape([-1, 1, 4 * samples]), taken)  # (N * Q * A, 1, D/A)
        return self.output_proj(read.reshape([-1, num_queries, dim]))

    def _levels(self, sizes_hw: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Return width and height (S, 2) of the map of every sample, and its first cell (S, 1)."""
        sizes = np.repeat(np.asarray(sizes_hw), self.num_points, axis=0)
        areas = [height * width for height, width in sizes_hw]
        first = np.repeat(np.cumsum([0, *areas[:-1]]), self.num_points)
        return (
            paddle.to_tensor(sizes[:, ::-1].astype(np.float32)),
            paddle.to_tensor(first.astype(np.int64)[:, None]),
        )


def _rays(num_heads: int, num_levels: int, num_points: int) -> NDArray[np.float32]:
    """Return the first offsets (heads, levels, points, 2): along a ray of its own for each head."""
    angles = 2 * np.pi * np.arange(num_heads) / num_heads
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    directions /= np.abs(directions).max(axis=1, keepdims=True)
    steps = np.arange(1, num_points + 1)[:, None]
    rays = directions[:, None, None] * steps  # (heads, 1, points, 2)
    return np.tile(rays, (1, num_levels, 1, 1)).astype(np.float32)
