"""Queries refined layer by layer, and with them the boxes that they look at.

Shapes: N images, Q queries, D width, L cells of all levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.attention import SelfAttention
from segtune.models.mask_rt_detr.deformable_attention import DeformableAttention
from segtune.models.mask_rt_detr.initialised import equal_layers, xavier_linear

NUM_HEADS = 8
NUM_LEVELS = 3
NUM_POINTS = 4
HIDDEN = 1024
_LEAST = 1e-5  # of a unit coordinate before its logarithm


class Memory(NamedTuple):
    """What queries read from."""

    cells: Tensor  # (N, L, D), level after level, row by row
    sizes_hw: Sequence[tuple[int, int]]  # of the levels


class DecoderLayer(nn.Layer):
    """Self-attention, a look at the memory, a small network; normalised after each addition."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, NUM_HEADS)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn = DeformableAttention(dim, NUM_HEADS, NUM_LEVELS, NUM_POINTS)
        self.norm2 = nn.LayerNorm(dim)
        self.linear1 = xavier_linear(dim, HIDDEN)
        self.linear2 = xavier_linear(HIDDEN, dim)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, positions: Tensor, boxes: Tensor, memory: Memory, mask: Tensor | None
    ) -> Tensor:
        """Map queries (N, Q, D) to queries (N, Q, D).

        Args:
            x: The queries.
            positions: (N, Q, D), made of the boxes.
            boxes: Centre and size (N, Q, 4) in 0..1.
            memory: What is looked at.
            mask: (Q, Q), added to the logits of self-attention.
        """
        x = self.norm1(x + self.self_attn(x, positions, mask))
        x = self.norm2(x + self.cross_attn(x + positions, boxes, memory.cells, memory.sizes_hw))
        return self.norm3(x + self.linear2(F.relu(self.linear1(x))))


class Decoder(nn.Layer):
    """Layers that begin as equal copies."""

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        self.layers = equal_layers(DecoderLayer(dim), num_layers)

    def forward(
        self,
        queries: Tensor,
        boxes: Tensor,
        memory: Memory,
        place: Callable[[Tensor], Tensor],
        shift: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return queries (N, Q, D) and boxes (N, Q, 4) after the last layer.

        Args:
            queries: (N, Q, D).
            boxes: Where they begin: centre and size (N, Q, 4) in 0..1.
            memory: What is looked at.
            place: Boxes to positions (N, Q, D).
            shift: Queries to changes (N, Q, 4) of the boxes' logits.
        """
        for layer in self.layers:
            queries = layer(queries, place(boxes), boxes, memory, None)
            boxes = F.sigmoid(shift(queries) + inverse_sigmoid(boxes))
        return queries, boxes

    def every_layer(
        self,
        queries: Tensor,
        boxes: Tensor,
        memory: Memory,
        place: Callable[[Tensor], Tensor],
        shift: Callable[[Tensor], Tensor],
        mask: Tensor | None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return queries and boxes after each layer, as training wants them.

        A layer looks at boxes that carry no gradient. The boxes that it returns carry that of its
        own shift and of the shift before (https://arxiv.org/abs/2203.03605, look forward twice).
        """
        all_queries, all_boxes = [], []
        shifted = None  # boxes of the layer before, with the gradient of its own shift alone
        for layer in self.layers:
            queries = layer(queries, place(boxes), boxes, memory, mask)
            change = shift(queries)
            own = F.sigmoid(change + inverse_sigmoid(boxes))
            twice = own if shifted is None else F.sigmoid(change + inverse_sigmoid(shifted))
            all_queries.append(queries)
            all_boxes.append(twice)
            shifted, boxes = own, own.detach()
        return all_queries, all_boxes


def inverse_sigmoid(values: Tensor) -> Tensor:
    """Return the logits of values in 0..1; those outside count as 0 or 1, which give +-11.5."""
    inside = values.clip(0, 1)
    return paddle.log(inside.clip(min=_LEAST) / (1 - inside).clip(min=_LEAST))
