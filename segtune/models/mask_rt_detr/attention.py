"""Self-attention, and where a token stands.

Shapes: N images, T tokens, D width, A heads, h x w feature map.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.initialised import xavier_linear, zeros

TEMPERATURE = 10000.0  # of the position table


class SelfAttention(nn.Layer):
    """Attention of tokens to one another (https://arxiv.org/abs/1706.03762).

    Positions take part in finding what to attend to, not in what is read there.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        # One matrix for query, key and value, side by side; published weights hold it so.
        self.in_proj_weight = self.create_parameter(
            [dim, 3 * dim], default_initializer=nn.initializer.XavierUniform()
        )
        self.in_proj_bias = self.create_parameter([3 * dim], is_bias=True)
        self.out_proj = xavier_linear(dim, dim, bias=zeros())

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map tokens (N, T, D) to tokens (N, T, D).

        Args:
            x: The tokens.
            positions: Added to them for query and key; its shape broadcasts to theirs.
            mask: (T, T), added to the logits of token (row) for token (column): 0 or -inf.
        """
        dim = x.shape[-1]
        weight, bias = self.in_proj_weight, self.in_proj_bias
        placed = F.linear(x + positions, weight[:, : 2 * dim], bias[: 2 * dim])
        query, key = paddle.split(placed, 2, axis=-1)
        value = F.linear(x, weight[:, 2 * dim :], bias[2 * dim :])
        scale = sqrt(dim // self.num_heads)
        logits = paddle.matmul(self._heads(query) / scale, self._heads(key), transpose_y=True)
        if mask is not None:
            logits = logits + mask
        read = paddle.matmul(F.softmax(logits, axis=-1), self._heads(value))  # (N, A, T, D/A)
        return self.out_proj(read.transpose([0, 2, 1, 3]).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """Split tokens (N, T, D) into heads (N, A, T, D/A)."""
        return x.reshape([0, 0, self.num_heads, -1]).transpose([0, 2, 1, 3])


def grid_positions(height: int, width: int, dim: int) -> Tensor:
    """Return sines and cosines (h * w, D) of row and column, row by row of the map.

    The reference divides the token's number by the height where the width is meant, which is
    the same on the square maps that its weights were trained on.
    """
    rows = paddle.to_tensor(_waves(height, dim)).unsqueeze(1).expand([height, width, dim // 2])
    columns = paddle.to_tensor(_waves(width, dim)).unsqueeze(0).expand([height, width, dim // 2])
    return paddle.concat([rows, columns], axis=2).flatten(0, 1)


@cache
def _waves(length: int, dim: int) -> NDArray[np.float32]:
    """Return sines, then cosines (length, D/2) of the numbers along one axis.

    In NumPy, so that an exported graph holds them as constants: oneDNN runs sine and cosine of
    the same phases in place, and the second takes the first one's results.
    """
    frequencies = np.float32(TEMPERATURE) ** -(np.arange(dim // 4, dtype=np.float32) / (dim // 4))
    phases = np.arange(length, dtype=np.float32)[:, None] * frequencies
    return np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
