"""Which query learns which instance: the assignment of least cost, for each layer and image.

See https://arxiv.org/abs/2005.12872, and https://arxiv.org/abs/2112.01527 for masks at points.

Shapes: B layers, N images, Q queries, G instances of the fullest image, n instances of one image,
K classes, C channels, S points, R pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor
from scipy.optimize import linear_sum_assignment

from segtune.models.box_ops import pairwise_giou
from segtune.models.mask_rt_detr.denoising import DenoisingQueries
from segtune.models.mask_rt_detr.points import PointSamples
from segtune.models.mask_rt_detr.row_sums import row_sums, summed_softplus
from segtune.models.mask_rt_detr.targets import UnitTargets, to_corners
from segtune.models.mask_rt_detr.transformer import Predictions

CLASS_COST, BOX_COST, GIOU_COST, MASK_COST, DICE_COST = 4.0, 5.0, 2.0, 5.0, 5.0


@dataclass(frozen=True)
class Pairs:
    """Queries and the instances that they learn, image after image.

    Attributes:
        layer: (R,) int64.
        image: (R,) int64, ascending.
        query: (R,) int64.
        instance: (R,) int64, of its image.
    """

    layer: NDArray[np.int64]
    image: NDArray[np.int64]
    query: NDArray[np.int64]
    instance: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query)

    def counts(self, num_images: int) -> list[int]:
        """Return the number of pairs of each image."""
        return [int(count) for count in np.bincount(self.image, minlength=num_images)]


@paddle.no_grad()
def match_queries(
    predictions: Predictions, targets: UnitTargets, points: Sequence[PointSamples]
) -> Pairs:
    """Return the pairs of every layer; an image with more instances than queries leaves some out.

    Args:
        predictions: (B, N, Q, ...).
        targets: The labelled instances.
        points: Of each image, where masks are compared.

    Raises:
        FloatingPointError: A cost is not finite.
    """
    costs = [
        _costs_of_image(predictions, targets, image, samples)  # (B, Q, n)
        for image, samples in enumerate(points)
    ]
    flat = paddle.concat([cost.flatten() for cost in costs]).numpy()  # one transfer to the host
    if not np.isfinite(flat).all():
        raise FloatingPointError("the costs of matching queries with instances are not finite")
    shapes = [tuple(cost.shape) for cost in costs]
    blocks = np.split(flat, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    rows = [
        (layer, image, *pair)
        for image, (block, shape) in enumerate(zip(blocks, shapes, strict=True))
        for layer, cost in enumerate(block.reshape(shape))
        for pair in zip(*linear_sum_assignment(cost), strict=True)
    ]
    return Pairs(*np.asarray(rows, np.int64).reshape(-1, 4).T)


def pair_copies(denoising: DenoisingQueries, targets: UnitTargets, num_layers: int) -> Pairs:
    """Return the pairs of denoising queries and the instances that they are copies of."""
    most = max(targets.counts)
    rows = [
        (layer, image, group * most + instance, instance)
        for image, count in enumerate(targets.counts)
        for layer in range(num_layers)
        for group in range(denoising.num_groups)
        for instance in range(count)
    ]
    return Pairs(*np.asarray(rows, np.int64).reshape(-1, 4).T)


def _costs_of_image(
    predictions: Predictions, targets: UnitTargets, image: int, samples: PointSamples
) -> Tensor:
    """Return the costs (B, Q, n) of an image in all layers."""
    count = targets.counts[image]
    logits, boxes = predictions.class_logits[:, image], predictions.boxes[:, image]  # (B, Q, ...)
    if count == 0:
        return paddle.zeros([*logits.shape[:2], 0])
    labels, own = targets.labels[image, :count], targets.boxes[image, :count]
    distances = (boxes.unsqueeze(2) - own).abs().sum(axis=-1)  # (B, Q, n)
    corners = to_corners(own).unsqueeze(0)
    overlaps = pairwise_giou(to_corners(boxes), corners)
    masks = paddle.stack(
        [_mask_costs(filters, samples) for filters in predictions.filters[:, image]]
    )
    return (
        CLASS_COST * _class_costs(paddle.gather(logits, labels, axis=2))
        + BOX_COST * distances
        - GIOU_COST * overlaps
        + masks
    )


def _class_costs(logits: Tensor) -> Tensor:
    """Return the focal loss of having a label, less that of not having it."""
    scores = F.sigmoid(logits)
    present = 0.25 * (1 - scores).square() * -paddle.log(scores + 1e-8)
    absent = 0.75 * scores.square() * -paddle.log(1 - scores + 1e-8)
    return present - absent


def _mask_costs(filters: Tensor, samples: PointSamples) -> Tensor:
    """Return the weighted cross-entropy and dice costs (Q, n) of filters (Q, C) at the points.

    Cross-entropy is softplus(z) - g * z for a logit z and a mask g.
    """
    masks = samples.masks  # (n, S)
    logits = paddle.matmul(filters, samples.pixels, transpose_y=True)  # (Q, S)
    probabilities = F.sigmoid(logits)
    entropy = summed_softplus(logits, probabilities)  # (Q, 1)
    entropy = entropy - paddle.matmul(logits, masks, transpose_y=True)
    shared = paddle.matmul(probabilities, masks, transpose_y=True)
    total = row_sums(probabilities) + row_sums(masks).t()
    return MASK_COST * entropy / masks.shape[1] + DICE_COST * (1 - (2 * shared + 1) / (total + 1))
