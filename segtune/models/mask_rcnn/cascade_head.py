"""The cascade: three box heads, each of which begins with the boxes of the one before.

See https://arxiv.org/abs/1712.00726. Shapes: N images, P regions of each image, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rcnn.box_coder import Weights, clip_boxes, decode
from segtune.models.mask_rcnn.box_head import (
    BoxScores,
    losses_of_regions,
    new_delta_layer,
    new_score_layer,
    score_regions,
)
from segtune.models.mask_rcnn.detections import ScoredRois
from segtune.models.mask_rcnn.labelled_rois import LabelledRois, label_all, label_sampled
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.segmenter import Targets

MIN_IOUS = (0.5, 0.6, 0.7)  # of a region with an instance, by stage
WEIGHTS = (
    Weights(10.0, 10.0, 5.0, 5.0),
    Weights(20.0, 20.0, 10.0, 10.0),
    Weights(30.0, 30.0, 15.0, 15.0),
)
NUM_STAGES = len(WEIGHTS)


class CascadeHead(nn.Layer):
    """Three stages, in each of which all classes share one box.

    Args:
        new_head: Makes a layer from levels, boxes and counts to vectors, `out_width` numbers each.
        num_classes: K.
        samples_per_image: Regions that the losses of the first stage look at.
    """

    def __init__(
        self, new_head: Callable[[], nn.Layer], num_classes: int, *, samples_per_image: int = 512
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.samples_per_image = samples_per_image
        self.head = nn.LayerList([new_head() for _ in range(NUM_STAGES)])
        for stage, head in enumerate(self.head):
            self.add_sublayer(
                f"bbox_score_stage{stage}", new_score_layer(head.out_width, num_classes)
            )
            self.add_sublayer(f"bbox_delta_stage{stage}", new_delta_layer(head.out_width, 1))

    def sample(self, proposals: Proposals, targets: Targets) -> LabelledRois:
        """Return regions for the first stage; `targets` have at least one row."""
        return label_sampled(
            proposals,
            targets,
            min_iou=MIN_IOUS[0],
            num_classes=self.num_classes,
            most=self.samples_per_image,
        )

    def losses(
        self, levels: Sequence[Tensor], rois: LabelledRois, targets: Targets
    ) -> dict[str, Tensor]:
        """Return `loss_bbox_cls_stage0` and so on, a third of the mean over a stage's regions."""
        losses = {}
        for stage, weights in enumerate(WEIGHTS):
            scores = self._scores(stage, levels, rois.boxes, rois.is_valid)
            class_loss, box_loss = losses_of_regions(scores, rois, targets, weights)
            losses[f"loss_bbox_cls_stage{stage}"] = class_loss / NUM_STAGES
            losses[f"loss_bbox_reg_stage{stage}"] = box_loss / NUM_STAGES
            if stage + 1 < NUM_STAGES:
                boxes = _refined(stage, rois.boxes, scores.deltas, targets.sizes_hw)
                rois = label_all(
                    Proposals(boxes, rois.is_valid & _have_area(boxes)),
                    targets,
                    min_iou=MIN_IOUS[stage + 1],
                    num_classes=self.num_classes,
                )
        return losses

    def forward(
        self, levels: Sequence[Tensor], proposals: Proposals, sizes_hw: Tensor
    ) -> ScoredRois:
        """Return scores and boxes of proposals on images of heights and widths (N, 2).

        Scores are the means over the stages, each on its own regions.
        """
        boxes, probabilities = proposals.boxes, []
        for stage in range(NUM_STAGES):
            logits, deltas = self._scores(stage, levels, boxes, proposals.is_valid)
            probabilities.append(F.softmax(logits, axis=2)[:, :, :-1])
            if stage + 1 < NUM_STAGES:
                boxes = _refined(stage, boxes, deltas, sizes_hw)
        scores = sum(probabilities) / NUM_STAGES
        return ScoredRois(scores, proposals.is_valid, boxes, deltas, WEIGHTS[-1], sizes_hw)

    def _scores(
        self, stage: int, levels: Sequence[Tensor], boxes: Tensor, is_valid: Tensor
    ) -> BoxScores:
        score, delta = (getattr(self, f"bbox_{part}_stage{stage}") for part in ("score", "delta"))
        return score_regions(self.head[stage], score, delta, levels, boxes, is_valid)


@paddle.no_grad()
def _refined(stage: int, boxes: Tensor, deltas: Tensor, sizes_hw: Tensor) -> Tensor:
    """Return the boxes (N, P, 4) that a stage hands on."""
    return clip_boxes(decode(boxes, deltas, WEIGHTS[stage]), sizes_hw)


def _have_area(boxes: Tensor) -> Tensor:
    return (boxes[:, :, 2:] > boxes[:, :, :2]).all(axis=2)
