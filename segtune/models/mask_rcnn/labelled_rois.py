"""Proposals that training has labelled.

Shapes: N images, S regions of each image, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
from paddle import Tensor

from segtune.models.mask_rcnn.matching import Matches, match
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.mask_rcnn.sampling import sample
from segtune.models.rows_of_images import rows_of_images
from segtune.models.segmenter import Targets

FOREGROUND_SHARE = 0.25


@dataclass(frozen=True)
class LabelledRois:
    """Boxes, and what each of them is to be recognised as."""

    boxes: Tensor  # (N, S, 4), xyxy in pixels of the network input
    is_valid: Tensor  # (N, S) bool, false where an image has fewer
    is_foreground: Tensor  # (N, S) bool
    labels: Tensor  # (N, S) int64, K where it is background
    instances: Tensor  # (N, S) int64, of the targets; any where it is background

    @property
    def num_valid(self) -> Tensor:
        """Number of regions of all images, float32, at least 1."""
        return self.is_valid.astype("float32").sum().clip(min=1)

    def wanted_boxes(self, targets: Targets) -> Tensor:
        """Return the boxes (N, S, 4) of the instances."""
        return rows_of_images(targets.boxes, self.instances)


def label_all(
    proposals: Proposals, targets: Targets, *, min_iou: float, num_classes: int
) -> LabelledRois:
    """Label every proposal by its largest overlap with an instance; below `min_iou` by K."""
    matches = _match(proposals, targets, min_iou)
    rows = paddle.arange(proposals.boxes.shape[1]).unsqueeze(0).expand(proposals.is_valid.shape)
    return _labelled(proposals, matches, targets, rows, proposals.is_valid, num_classes)


def label_sampled(
    proposals: Proposals, targets: Targets, *, min_iou: float, num_classes: int, most: int
) -> LabelledRois:
    """Label a random choice of the proposals and of the instances' own boxes.

    Args:
        proposals: Of each image.
        targets: With at least one row.
        min_iou: From this overlap with an instance on a region is foreground.
        num_classes: K.
        most: Regions chosen of each image.
    """
    candidates = Proposals(
        paddle.concat([proposals.boxes, targets.boxes], axis=1),
        paddle.concat([proposals.is_valid, targets.valid], axis=1),
    )
    matches = _match(candidates, targets, min_iou)
    rows, is_valid = sample(
        matches.is_foreground & candidates.is_valid,
        matches.is_background & candidates.is_valid,
        most=most,
        foreground_share=FOREGROUND_SHARE,
    )
    return _labelled(candidates, matches, targets, rows, is_valid, num_classes)


def _match(proposals: Proposals, targets: Targets, min_iou: float) -> Matches:
    return match(proposals.boxes, targets, foreground_iou=min_iou, background_iou=min_iou)


def _labelled(
    candidates: Proposals,
    matches: Matches,
    targets: Targets,
    rows: Tensor,
    is_valid: Tensor,
    num_classes: int,
) -> LabelledRois:
    is_foreground = rows_of_images(matches.is_foreground, rows) & is_valid
    instances = rows_of_images(matches.instances, rows)
    labels = rows_of_images(targets.labels, instances)
    background = paddle.full_like(labels, num_classes)
    return LabelledRois(
        boxes=rows_of_images(candidates.boxes, rows),
        is_valid=is_valid,
        is_foreground=is_foreground,
        labels=paddle.where(is_foreground, labels, background),
        instances=instances,
    )
