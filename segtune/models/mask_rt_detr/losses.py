"""The losses of Mask-RT-DETR: of all layers, and of what is matched and what denoises.

Shapes: B layers, N images, Q queries, K classes, C channels, R pairs, n instances of one image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor

from segtune.models.box_ops import giou_losses, pairwise_iou
from segtune.models.class_losses import background_focal_terms, varifocal_terms
from segtune.models.mask_rt_detr.mask_loss import DICE_WEIGHT, MASK_WEIGHT, point_mask_losses
from segtune.models.mask_rt_detr.mask_overlap import MaskGrid, mask_overlaps
from segtune.models.mask_rt_detr.matcher import Pairs
from segtune.models.mask_rt_detr.points import PointSamples
from segtune.models.mask_rt_detr.targets import UnitTargets, to_corners
from segtune.models.mask_rt_detr.transformer import Predictions

CLASS_WEIGHT, BOX_WEIGHT, GIOU_WEIGHT = 4.0, 5.0, 2.0
PARTS = ("class", "bbox", "giou", "mask", "dice")

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Learned:
    """The rows of predictions that learn an instance, and what they learn, image after image."""

    rows: Tensor  # (R,) int64, of predictions flattened to (B * N * Q, ...)
    instances: Tensor  # (R,) int64, of the pair's own image
    labels: Tensor  # (R,) int64
    boxes: Tensor  # (R, 4) of the instances
    is_main: Tensor  # (R,) float32, 1 in the last layer, whose losses are shown apart
    counts: list[int]  # pairs of each image

    def by_image(self, *columns: Tensor) -> Iterator[tuple[Any, ...]]:
        """Yield the number of each image that has pairs, and its rows of columns (R, ...)."""
        start = 0
        for image, count in enumerate(self.counts):
            if count:
                yield image, *(column[start : start + count] for column in columns)
            start += count


def gather_learned(predictions: Predictions, targets: UnitTargets, pairs: Pairs) -> Learned:
    """Look up what the queries of pairs have to learn."""
    num_layers, num_images, num_queries = predictions.class_logits.shape[:3]
    rows = (pairs.layer * num_images + pairs.image) * num_queries + pairs.query
    of_batch = paddle.to_tensor(pairs.image * targets.labels.shape[1] + pairs.instance)
    return Learned(
        paddle.to_tensor(rows),
        paddle.to_tensor(pairs.instance),
        paddle.gather(targets.labels.flatten(), of_batch),
        paddle.gather(targets.boxes.reshape([-1, 4]), of_batch),
        paddle.to_tensor((pairs.layer == num_layers - 1).astype("float32")),
        pairs.counts(num_images),
    )


def losses_of_pairs(
    predictions: Predictions,
    learned: Learned,
    samples: Sequence[PointSamples],
    grids: Sequence[MaskGrid],
    normaliser: float,
) -> tuple[Tensor, Losses]:
    """Return the sum to minimise, and its parts by name; `_aux` ones are of all but the last layer.

    Args:
        predictions: (B, N, Q, ...).
        learned: Of these predictions.
        samples: Of each image, where masks are compared.
        grids: Of each image, where masks tell how good a query is.
        normaliser: What every loss is divided by.
    """
    boxes = paddle.gather(predictions.boxes.reshape([-1, 4]), learned.rows)
    filters = predictions.filters.reshape([-1, predictions.filters.shape[-1]])
    filters = paddle.gather(filters, learned.rows)  # (R, C)
    quality = _quality(boxes, filters, learned, grids)
    by_layer = _class_losses(predictions.class_logits, learned, quality)  # (B,)
    distances = (boxes - learned.boxes).abs().sum(axis=1)
    overlaps = giou_losses(to_corners(boxes), to_corners(learned.boxes))
    mask_sum, entropies, dices = _mask_losses(filters, learned, samples)

    parts: Losses = {
        "class": CLASS_WEIGHT * by_layer[-1] / normaliser,
        "class_aux": CLASS_WEIGHT * by_layer[:-1].sum() / normaliser,
    }
    for name, weight, values in (
        ("bbox", BOX_WEIGHT, distances),
        ("giou", GIOU_WEIGHT, overlaps),
        ("mask", MASK_WEIGHT, entropies),
        ("dice", DICE_WEIGHT, dices),
    ):
        parts[name] = weight * (values * learned.is_main).sum() / normaliser
        parts[f"{name}_aux"] = weight * (values * (1 - learned.is_main)).sum() / normaliser
    with_gradient = [f"{name}{suffix}" for name in PARTS[:3] for suffix in ("", "_aux")]
    total = paddle.add_n([parts[name] for name in with_gradient]) + mask_sum / normaliser
    return total, parts


def losses_without_instances(predictions: Predictions) -> tuple[Tensor, Losses]:
    """Return the losses of a batch that shows nothing: every score is to be that of background.

    All outputs take part, times zero, so that every parameter behind them gets a gradient.
    """
    by_layer = background_focal_terms(predictions.class_logits).sum(axis=[1, 2, 3])
    nothing = 0 * (predictions.boxes.sum() + predictions.filters.sum())
    parts: Losses = {f"{name}{suffix}": nothing for name in PARTS for suffix in ("", "_aux")}
    parts["class"] = CLASS_WEIGHT * by_layer[-1]
    parts["class_aux"] = CLASS_WEIGHT * by_layer[:-1].sum()
    return parts["class"] + parts["class_aux"] + nothing, parts


def _class_losses(logits: Tensor, learned: Learned, quality: Tensor) -> Tensor:
    """Return the sums (B,) of logits (B, N, Q, K); quality (R,) is the score to learn."""
    places = learned.rows * logits.shape[-1] + learned.labels
    flat = paddle.zeros([logits.size])
    is_label = paddle.scatter(flat, places, paddle.ones_like(quality)).reshape(logits.shape)
    wanted = paddle.scatter(flat, places, quality).reshape(logits.shape)
    return varifocal_terms(logits, wanted, is_label).sum(axis=[1, 2, 3])


@paddle.no_grad()
def _quality(boxes: Tensor, filters: Tensor, learned: Learned, grids: Sequence[MaskGrid]) -> Tensor:
    """Return the overlaps (R,) with the instances: of masks in the last layer, else of boxes."""
    first, second = to_corners(boxes).unsqueeze(1), to_corners(learned.boxes).unsqueeze(1)
    quality = pairwise_iou(first, second).flatten()  # (R,)
    is_main = learned.is_main.astype("bool")
    of_masks = [
        mask_overlaps(own[chosen], grids[image], instances[chosen])
        for image, own, instances, chosen in learned.by_image(filters, learned.instances, is_main)
    ]
    places = learned.is_main.nonzero().flatten()
    return paddle.scatter(quality, places, paddle.concat(of_masks))


def _mask_losses(
    filters: Tensor, learned: Learned, samples: Sequence[PointSamples]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weighted sum of the mask losses, and cross-entropy (R,) and dice (R,)."""
    losses = [
        point_mask_losses(own, samples[image], instances)
        for image, own, instances in learned.by_image(filters, learned.instances)
    ]
    sums, entropies, dices = zip(*losses, strict=True)
    return paddle.add_n(list(sums)), paddle.concat(entropies), paddle.concat(dices)
