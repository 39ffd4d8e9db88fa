"""The losses of PP-YOLOE_seg.

Shapes: N images, G instances of the fullest image, L points, K classes, A points that learn an
instance (positives), P prototypes, B bins of a distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from segtune.models.box_ops import boxes_around, giou_losses, side_distances
from segtune.models.class_losses import varifocal_terms
from segtune.models.ppyoloe_seg.assigner import Assignment
from segtune.models.ppyoloe_seg.head import RawPredictions
from segtune.models.ppyoloe_seg.mask_loss import cropped_mask_loss
from segtune.models.segmenter import Targets

BOX_WEIGHT = 2.5  # also of the mask loss
DISTRIBUTION_WEIGHT = 0.5


@dataclass(frozen=True)
class Positives:
    """The points of a batch that learn an instance, one row each."""

    point_rows: Tensor  # (A,) int64, image * L + point
    instance_rows: Tensor  # (A,) int64, image * G + instance
    quality: Tensor  # (A,) float32
    points: Tensor  # (A, 2) in cells
    target_boxes: Tensor  # (A, 4) in cells

    def __len__(self) -> int:
        return int(self.point_rows.shape[0])


def losses_of(
    raw: RawPredictions,
    assignment: Assignment,
    targets: Targets,
    decode_distances: Callable[[Tensor], Tensor],
    *,
    mask_stride: int,
) -> dict[str, Tensor]:
    """Return the losses by name; `loss` is their weighted sum, `loss_l1` is for watching only."""
    normaliser = assignment.quality.sum().clip(min=1)
    is_label, quality = _class_targets(assignment, targets, raw.class_logits.shape[1])
    loss_cls = varifocal_terms(raw.class_logits, quality, is_label).sum() / normaliser

    positives = _gather_positives(raw, assignment, targets)
    if len(positives) == 0:
        # Zeros that hang on the outputs, so that every parameter still gets a gradient.
        outputs = (raw.bin_logits, raw.coefficients, raw.prototypes)
        zero = paddle.add_n([0 * output.sum() for output in outputs])
        loss_iou = loss_dfl = loss_mask = loss_l1 = zero
    else:
        bin_rows = raw.bin_rows()[positives.point_rows]  # (A, 4 * B)
        boxes = boxes_around(positives.points, decode_distances(bin_rows))
        distances = side_distances(positives.points, positives.target_boxes)
        focal = distribution_focal_losses(bin_rows.reshape([len(positives), 4, -1]), distances)
        loss_iou = (positives.quality * giou_losses(boxes, positives.target_boxes)).sum()
        loss_iou = loss_iou / normaliser
        loss_dfl = (positives.quality * focal).sum() / normaliser
        loss_l1 = (boxes - positives.target_boxes).abs().mean().detach()
        coefficients = raw.coefficient_rows()[positives.point_rows]  # (A, P)
        loss_mask = cropped_mask_loss(
            coefficients,
            raw.prototypes,
            positives.instance_rows,
            targets,
            stride=mask_stride,
        )
        loss_mask = loss_mask / normaliser
    loss = loss_cls + BOX_WEIGHT * (loss_iou + loss_mask) + DISTRIBUTION_WEIGHT * loss_dfl
    return {
        "loss": loss,
        "loss_cls": loss_cls,
        "loss_iou": loss_iou,
        "loss_dfl": loss_dfl,
        "loss_mask": loss_mask,
        "loss_l1": loss_l1,
    }


def distribution_focal_losses(bin_logits: Tensor, distances: Tensor) -> Tensor:
    """Return the losses (A,) of bin logits (A, 4, B) against distances (A, 4) in cells.

    See https://arxiv.org/abs/2006.04388. A distance counts for the two bins around it, in
    proportion to its nearness; distances outside the bins are moved inside.
    """
    num_bins = bin_logits.shape[-1]
    inside = distances.clip(0, num_bins - 1 - 0.01).unsqueeze(-1)  # (A, 4, 1)
    bins = paddle.arange(num_bins, dtype=distances.dtype)
    nearness = (1 - (inside - bins).abs()).clip(min=0)  # (A, 4, B)
    return -(nearness * F.log_softmax(bin_logits, axis=-1)).sum(axis=-1).mean(axis=-1)


def _class_targets(
    assignment: Assignment, targets: Targets, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Return, both (N, K, L): 1 at the label of each positive point, and its quality there."""
    if targets.labels.shape[1] == 0:
        zeros = assignment.quality.unsqueeze(1).expand([-1, num_classes, -1])
        return zeros, zeros
    labels = paddle.take_along_axis(targets.labels, assignment.instance, axis=1)  # (N, L)
    labels = paddle.where(assignment.positive, labels, paddle.full_like(labels, num_classes))
    classes = paddle.arange(num_classes).reshape([1, -1, 1])
    is_label = (labels.unsqueeze(1) == classes).astype(assignment.quality.dtype)  # (N, K, L)
    return is_label, is_label * assignment.quality.unsqueeze(1)


def _gather_positives(raw: RawPredictions, assignment: Assignment, targets: Targets) -> Positives:
    num_points, num_instances = assignment.positive.shape[1], targets.boxes.shape[1]
    point_rows = assignment.positive.flatten().nonzero().flatten()  # (A,)
    points = point_rows % num_points
    instances = assignment.instance.flatten()[point_rows]
    instance_rows = point_rows // num_points * num_instances + instances
    strides = raw.strides[points]  # (A, 1)
    return Positives(
        point_rows,
        instance_rows,
        assignment.quality.flatten()[point_rows],
        raw.points[points],
        targets.boxes.reshape([-1, 4])[instance_rows] / strides,
    )
