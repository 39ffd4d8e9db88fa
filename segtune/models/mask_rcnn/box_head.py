"""The box head: which class a region shows, and where its box really is.

See https://arxiv.org/abs/1504.08083. Shapes: N images, P regions of each image, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rcnn.box_coder import Weights
from segtune.models.mask_rcnn.box_loss import summed_l1
from segtune.models.mask_rcnn.detections import ScoredRois
from segtune.models.mask_rcnn.labelled_rois import LabelledRois, label_sampled
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.mask_rcnn.roi_align import with_spare_box
from segtune.models.rows_of_images import rows_of_images
from segtune.models.segmenter import Targets

MIN_IOU = 0.5  # of a region with an instance that it is to be recognised as
WEIGHTS = Weights(10.0, 10.0, 5.0, 5.0)


class BoxScores(NamedTuple):
    """What is said about regions."""

    logits: Tensor  # (N, P, K + 1); the last one is background
    deltas: Tensor  # (N, P, 4K), or (N, P, 4) where all classes share them


class BoxHead(nn.Layer):
    """Class scores and a box for each class, from one vector for each region.

    Args:
        head: Levels, boxes and counts to vectors, `out_width` numbers each.
        num_classes: K.
        samples_per_image: Regions that the losses look at.
    """

    def __init__(self, head: nn.Layer, num_classes: int, *, samples_per_image: int = 512) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.samples_per_image = samples_per_image
        self.head = head
        self.bbox_score = new_score_layer(head.out_width, num_classes)
        self.bbox_delta = new_delta_layer(head.out_width, num_classes)

    def sample(self, proposals: Proposals, targets: Targets) -> LabelledRois:
        """Return regions to learn from; `targets` have at least one row."""
        return label_sampled(
            proposals,
            targets,
            min_iou=MIN_IOU,
            num_classes=self.num_classes,
            most=self.samples_per_image,
        )

    def losses(
        self, levels: Sequence[Tensor], rois: LabelledRois, targets: Targets
    ) -> dict[str, Tensor]:
        """Return `loss_bbox_cls` and `loss_bbox_reg`, means over all regions."""
        scores = self._scores(levels, rois.boxes, rois.is_valid)
        class_loss, box_loss = losses_of_regions(scores, rois, targets, WEIGHTS)
        return {"loss_bbox_cls": class_loss, "loss_bbox_reg": box_loss}

    def forward(
        self, levels: Sequence[Tensor], proposals: Proposals, sizes_hw: Tensor
    ) -> ScoredRois:
        """Return scores and boxes of proposals on images of heights and widths (N, 2)."""
        logits, deltas = self._scores(levels, proposals.boxes, proposals.is_valid)
        scores = F.softmax(logits, axis=2)[:, :, :-1]
        return ScoredRois(scores, proposals.is_valid, proposals.boxes, deltas, WEIGHTS, sizes_hw)

    def _scores(self, levels: Sequence[Tensor], boxes: Tensor, is_valid: Tensor) -> BoxScores:
        return score_regions(self.head, self.bbox_score, self.bbox_delta, levels, boxes, is_valid)


def score_regions(
    head: nn.Layer,
    score_layer: nn.Layer,
    delta_layer: nn.Layer,
    levels: Sequence[Tensor],
    boxes: Tensor,
    is_valid: Tensor,
) -> BoxScores:
    """Return what two layers say about the vectors of boxes (N, P, 4); zeros where one is void."""
    num_rows = paddle.shape(boxes)[0] * boxes.shape[1]
    last = num_rows.reshape([1]).astype("int64")
    # A spare row, since no operator may see no region at all; it belongs to the last image.
    rows = paddle.concat([paddle.nonzero(is_valid.flatten()).flatten(), last])
    counts = is_valid.astype("int32").sum(axis=1).astype("int32")
    boxes_of_rows = paddle.gather(paddle.concat([boxes.flatten(0, 1), paddle.zeros([1, 4])]), rows)
    vectors = head(levels, boxes_of_rows, with_spare_box(counts))

    def of_images(values: Tensor) -> Tensor:
        empty = paddle.zeros([num_rows + 1, values.shape[1]])
        spread = paddle.scatter(empty, rows, values)
        return spread[:-1].reshape([-1, boxes.shape[1], values.shape[1]])

    return BoxScores(of_images(score_layer(vectors)), of_images(delta_layer(vectors)))


def losses_of_regions(
    scores: BoxScores, rois: LabelledRois, targets: Targets, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Return the classification and the box loss, sums divided by the number of all regions."""
    entropy = F.cross_entropy(scores.logits, rois.labels, reduction="none")  # (N, S)
    distance = summed_l1(
        _deltas_of_labels(scores.deltas, rois),
        rois.boxes,
        rois.wanted_boxes(targets),
        rois.is_foreground,
        weights,
    )
    of_valid = entropy * rois.is_valid.astype(entropy.dtype)
    return of_valid.sum() / rois.num_valid, distance / rois.num_valid


def _deltas_of_labels(deltas: Tensor, rois: LabelledRois) -> Tensor:
    """Return the deltas (N, P, 4) of each region's label; those of background are any."""
    num_images, num_rois, width = deltas.shape
    num_boxes = width // 4  # of a region: K or 1
    chosen = rois.labels.clip(max=num_boxes - 1)
    rows = paddle.arange(num_rois, dtype="int64") * num_boxes + chosen
    return rows_of_images(deltas.reshape([num_images, -1, 4]), rows)


def new_score_layer(width: int, num_classes: int) -> nn.Linear:
    """Return the layer from vectors to logits, of which the last one is background."""
    return _linear(width, num_classes + 1, 0.01)


def new_delta_layer(width: int, num_boxes: int) -> nn.Linear:
    """Return the layer from vectors to the deltas of `num_boxes` boxes."""
    return _linear(width, 4 * num_boxes, 0.001)


def _linear(width: int, num_outputs: int, deviation: float) -> nn.Linear:
    return nn.Linear(
        width,
        num_outputs,
        weight_attr=nn.initializer.Normal(0.0, deviation),
        bias_attr=nn.initializer.Constant(0.0),
    )
