"""Queries made of labelled instances with noise, which need no matching to learn from.

See https://arxiv.org/abs/2203.01305; this is the plain form, without negative copies.

Shapes: N images, G instances of the fullest image, T denoising queries, D width, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.decoder import inverse_sigmoid
from segtune.models.mask_rt_detr.targets import UnitTargets

NUM_QUERIES = 100  # about so many; at least one group
LABEL_NOISE = 0.25  # share of labels that are drawn anew
BOX_NOISE = 1.0  # of half a side for a centre, of a side for a size


@dataclass(frozen=True)
class DenoisingQueries:
    """Groups of noisy copies, query = group * G + instance; T is groups times G.

    Attributes:
        labels: (N, T) int64, K where a row is padding.
        boxes: (N, T, 4) centre and size in 0..1.
        num_groups: Copies of each instance.
    """

    labels: Tensor
    boxes: Tensor
    num_groups: int

    def content(self, embedding: nn.Embedding) -> Tensor:
        """Return the embedded labels (N, T, D); padding has zeros."""
        weight = embedding.weight
        table = paddle.concat([weight, paddle.zeros([1, weight.shape[1]], weight.dtype)])
        rows = paddle.gather(table, self.labels.flatten())
        return rows.reshape([*self.labels.shape, -1])

    def attention_mask(self, num_matched: int) -> Tensor:
        """Return 0 where a query (row) may attend to a query (column), else -inf.

        Denoising queries see their own group and all others that are matched; the matched ones,
        which come last, see one another only, since a copy would give the answer away.
        """
        total = self.labels.shape[1]
        groups = paddle.arange(total) // (total // self.num_groups)
        groups = paddle.concat([groups, paddle.full([num_matched], -1, groups.dtype)])
        is_open = (groups.unsqueeze(0) == -1) | (groups.unsqueeze(1) == groups.unsqueeze(0))
        shape = is_open.shape
        return paddle.where(is_open, paddle.zeros(shape), paddle.full(shape, float("-inf")))


def make_noisy_queries(
    targets: UnitTargets, num_classes: int, num_queries: int = NUM_QUERIES
) -> DenoisingQueries | None:
    """Return noisy copies of the instances of a batch, or None without instances or queries."""
    most = targets.labels.shape[1]
    if most == 0 or num_queries == 0:
        return None
    num_groups = max(1, num_queries // most)
    labels = paddle.where(
        targets.valid, targets.labels, paddle.full_like(targets.labels, num_classes)
    ).tile([1, num_groups])  # (N, T)
    boxes = targets.boxes.tile([1, num_groups, 1])  # (N, T, 4)
    is_wrong = (paddle.rand(labels.shape) < LABEL_NOISE) & (labels < num_classes)
    labels = paddle.where(is_wrong, paddle.randint(0, num_classes, labels.shape, "int64"), labels)
    sides = boxes[..., 2:]
    reach = paddle.concat([sides / 2, sides], axis=-1) * BOX_NOISE
    noisy = boxes + reach * (2 * paddle.rand(boxes.shape) - 1)
    return DenoisingQueries(labels, F.sigmoid(inverse_sigmoid(noisy)), num_groups)
