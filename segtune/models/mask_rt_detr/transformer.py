"""From features to queries, and from queries to classes, boxes and masks.

Shapes: N images, L cells of all levels, Q queries, T denoising queries, D width, K classes,
P prototypes, C channels of the pixels that filters are applied to; B layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.mask_rt_detr.decoder import NUM_LEVELS, Decoder, Memory, inverse_sigmoid
from segtune.models.mask_rt_detr.denoising import DenoisingQueries
from segtune.models.mask_rt_detr.initialised import (
    uniform,
    uniform_linear,
    xavier_linear,
    zeros,
)
from segtune.models.mask_rt_detr.query_selection import (
    anchor_logits,
    boxes_of_masks,
    valid_cells,
)
from segtune.models.rows_of_images import rows_of_images

FIRST_SCORE = 0.01  # of every class before training, so that background dominates


class Predictions(NamedTuple):
    """What queries say, before any is chosen.

    A filter times the pixels of the image gives the mask logits.
    """

    class_logits: Tensor  # (..., Q, K)
    boxes: Tensor  # (..., Q, 4) centre and size in 0..1
    filters: Tensor  # (..., Q, C)


class TrainingPredictions(NamedTuple):
    """Predictions of every layer, those that are matched apart from those that denoise."""

    matched: Predictions  # (B, N, Q, ...): encoder, beginning if there are any denoising, layers
    denoised: Predictions | None  # (B, N, T, ...): beginning, layers


class Mlp(nn.Layer):
    """Linear layers with ReLU between them."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.layers = nn.LayerList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., D')."""
        *inner, last = self.layers
        for layer in inner:
            x = F.relu(layer(x))
        return last(x)


class QueryTransformer(nn.Layer):
    """Select cells as queries, refine them by the memory, and read out what they found.

    Args:
        in_channels: Of the features.
        num_classes: K.
        num_prototypes: P.
        dim: D.
        num_queries: Q; fewer where the memory has fewer cells.
        num_layers: Of the decoder.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        num_prototypes: int,
        *,
        dim: int = 256,
        num_queries: int = 300,
        num_layers: int = 6,
    ) -> None:
        super().__init__()
        self.num_queries = num_queries
        self.input_proj = nn.LayerList(
            [
                ConvNorm(
                    in_channels,
                    dim,
                    1,
                    weight_init=nn.initializer.XavierUniform(),
                    names=("conv", "norm"),
                )
                for _ in range(NUM_LEVELS)
            ]
        )
        self.decoder = Decoder(dim, num_layers)
        self.denoising_class_embed = nn.Embedding(
            num_classes, dim, weight_attr=nn.initializer.Normal()
        )
        self.query_pos_head = Mlp([xavier_linear(4, 2 * dim), xavier_linear(2 * dim, dim)])
        self.mask_query_head = Mlp(
            [
                uniform_linear(dim, dim),
                uniform_linear(dim, dim),
                uniform_linear(dim, num_prototypes),
            ]
        )
        self.enc_output = nn.Sequential(xavier_linear(dim, dim), nn.LayerNorm(dim))
        self.dec_norm = nn.LayerNorm(dim)
        self.score_head = nn.Linear(
            dim,
            num_classes,
            weight_attr=uniform(dim),
            bias_attr=nn.initializer.Constant(-log(1 / FIRST_SCORE - 1)),
        )
        still = nn.Linear(dim, 4, weight_attr=zeros(), bias_attr=zeros())
        self.bbox_head = Mlp([uniform_linear(dim, dim), uniform_linear(dim, dim), still])

    def forward(
        self, features: Sequence[Tensor], pixels: Tensor, basis: Tensor | None
    ) -> Predictions:
        """Return what the queries say after the last layer, (N, Q, ...).

        Args:
            features: At strides 8, 16 and 32.
            pixels: (N, C, h, w) at stride 4.
            basis: (P, C), so that prototypes are the basis times the pixels; None if equal.
        """
        memory = self._memory(features)
        queries, _ = self._select(memory)
        boxes = self._first_boxes(queries, pixels, basis)
        queries, boxes = self.decoder(queries, boxes, memory, self.query_pos_head, self.bbox_head)
        return self._read_out(queries, boxes, basis)

    def every_layer(
        self,
        features: Sequence[Tensor],
        pixels: Tensor,
        basis: Tensor | None,
        denoising: DenoisingQueries | None,
    ) -> TrainingPredictions:
        """Return what the queries say at each step on their way, for the losses.

        Args:
            features: At strides 8, 16 and 32.
            pixels: (N, C, h, w) at stride 4.
            basis: As in `forward`.
            denoising: Queries made of the labelled instances; None where there are none.
        """
        memory = self._memory(features)
        queries, cells = self._select(memory)
        own_anchors = paddle.gather(anchor_logits(memory.sizes_hw), cells.flatten()).reshape(
            [*cells.shape, 4]
        )
        encoder_boxes = F.sigmoid(self.bbox_head(queries) + own_anchors)
        with paddle.no_grad():
            content, boxes = queries.detach(), self._first_boxes(queries, pixels, basis)
        mask, num_denoising = None, 0
        if denoising is not None:
            num_denoising = denoising.boxes.shape[1]
            content = paddle.concat([denoising.content(self.denoising_class_embed), content], 1)
            boxes = paddle.concat([denoising.boxes, boxes], axis=1)
            mask = denoising.attention_mask(queries.shape[1])
        states, state_boxes = self.decoder.every_layer(
            content, boxes, memory, self.query_pos_head, self.bbox_head, mask
        )
        if denoising is not None:
            states, state_boxes = [content, *states], [boxes, *state_boxes]
        matched = [queries, *(state[:, num_denoising:] for state in states)]
        matched_boxes = [encoder_boxes, *(boxes[:, num_denoising:] for boxes in state_boxes)]
        denoised = None
        if denoising is not None:
            denoised = self._read_out(
                paddle.stack(states)[:, :, :num_denoising],
                paddle.stack(state_boxes)[:, :, :num_denoising],
                basis,
            )
        return TrainingPredictions(
            self._read_out(paddle.stack(matched), paddle.stack(matched_boxes), basis), denoised
        )

    def _memory(self, features: Sequence[Tensor]) -> Memory:
        levels = [f(x) for f, x in zip(self.input_proj, features, strict=True)]
        cells = paddle.concat([level.flatten(2) for level in levels], axis=2)  # (N, D, L)
        sizes_hw = [(level.shape[2], level.shape[3]) for level in levels]
        return Memory(cells.transpose([0, 2, 1]), sizes_hw)

    def _select(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return the cells of highest score as queries (N, Q, D), and their numbers (N, Q)."""
        encoded = self.enc_output(memory.cells * valid_cells(memory.sizes_hw))  # (N, L, D)
        scores = self.score_head(encoded).max(axis=-1)  # without the norm that other scores have
        _, cells = paddle.topk(scores, min(self.num_queries, encoded.shape[1]), axis=1)
        return rows_of_images(encoded, cells), cells

    def _first_boxes(self, queries: Tensor, pixels: Tensor, basis: Tensor | None) -> Tensor:
        """Return the boxes (N, Q, 4) around the masks of selected cells."""
        filters = self._filters(self.dec_norm(queries), basis)
        return F.sigmoid(inverse_sigmoid(boxes_of_masks(filters, pixels)))

    def _read_out(self, queries: Tensor, boxes: Tensor, basis: Tensor | None) -> Predictions:
        normed = self.dec_norm(queries)
        return Predictions(self.score_head(normed), boxes, self._filters(normed, basis))

    def _filters(self, normed: Tensor, basis: Tensor | None) -> Tensor:
        of_prototypes = self.mask_query_head(normed)
        return of_prototypes if basis is None else paddle.matmul(of_prototypes, basis)
