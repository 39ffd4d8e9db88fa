"""Mask R-CNN and Cascade Mask R-CNN: propose regions, recognise them, draw their masks.

See https://arxiv.org/abs/1703.06870. Shapes: N images, h x w network input, R rows of all images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle
from paddle import Tensor, nn

from segtune.models.mask_rcnn.box_head import BoxHead
from segtune.models.mask_rcnn.cascade_head import CascadeHead
from segtune.models.mask_rcnn.detections import Detections, best_detections
from segtune.models.mask_rcnn.mask_head import MaskHead
from segtune.models.mask_rcnn.mask_loss import foreground_of, mask_loss
from segtune.models.mask_rcnn.matching import with_a_row
from segtune.models.mask_rcnn.proposals import ProposalCounts, propose
from segtune.models.mask_rcnn.roi_align import with_spare_box
from segtune.models.mask_rcnn.rpn import RpnHead
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.models.spare_row import with_spare_row
from segtune.outputs import MaskFrame, Outputs

RoiFeatures = Callable[[Sequence[Tensor], Tensor, Tensor], Tensor]


class MaskRcnn(InstanceSegmenter):
    """Backbone, neck and heads, and how detections and losses follow from them.

    Args:
        backbone: Images to features.
        neck: Those to the levels that proposals and regions are taken from.
        rpn_head: Levels to what may be an object.
        bbox_head: Regions to classes and boxes.
        mask_head: Features of regions to masks.
        mask_features: Levels, boxes and the number of boxes of each image to these features.
        counts_in_training: Of the proposals.
        counts_in_prediction: Of the proposals.
        size_divisor: Height and width of an input are multiples of this.
    """

    mask_stride = 1
    mask_frame = MaskFrame.BOX
    architecture = "RCNN"

    def __init__(
        self,
        backbone: nn.Layer,
        neck: nn.Layer,
        rpn_head: RpnHead,
        bbox_head: BoxHead | CascadeHead,
        mask_head: MaskHead,
        mask_features: RoiFeatures,
        *,
        counts_in_training: ProposalCounts,
        counts_in_prediction: ProposalCounts,
        size_divisor: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.rpn_head = rpn_head
        self.bbox_head = bbox_head
        self.mask_head = mask_head
        self.mask_features = mask_features
        self.counts_in_training = counts_in_training
        self.counts_in_prediction = counts_in_prediction
        self.size_divisor = size_divisor

    @property
    def regions_per_image(self) -> int:
        """Proposals of an image that the heads learn from; up to a quarter of them have masks."""
        return self.bbox_head.samples_per_image

    @regions_per_image.setter
    def regions_per_image(self, number: int) -> None:
        self.bbox_head.samples_per_image = number

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Return `loss` and its parts for images (N, 3, h, w)."""
        targets = with_a_row(targets)
        levels = self.neck(self.backbone(images))
        scores = self.rpn_head(levels)
        proposals = propose(scores, targets.sizes_hw, self.counts_in_training)
        rois = self.bbox_head.sample(proposals, targets)
        foreground = foreground_of(rois, targets)
        features = self.mask_features(levels, foreground.boxes, foreground.counts)
        logits = self.mask_head(features, foreground.labels)
        parts = {
            **self.rpn_head.losses(scores, targets),
            **self.bbox_head.losses(levels, rois, targets),
            "loss_mask": mask_loss(logits, foreground, targets),
        }
        return {"loss": sum(parts.values()), **parts}

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        """Find the instances on images (N, 3, h, w); rows of an image are sorted by label.

        Boxes are clipped to the image, which takes the upper left `sizes_hw` (N, 2) of the input.
        """
        if sizes_hw is None:
            sizes_hw = paddle.full([images.shape[0], 2], 0.0) + paddle.to_tensor(
                [float(side) for side in images.shape[2:]]
            )
        levels = self.neck(self.backbone(images))
        proposals = propose(self.rpn_head(levels), sizes_hw, self.counts_in_prediction)
        found = best_detections(self.bbox_head(levels, proposals, sizes_hw))
        return Outputs(*found[:3], self._masks(levels, found), found.counts)

    def _masks(self, levels: Sequence[Tensor], found: Detections) -> Tensor:
        """Return mask logits (R, M, M) of detections."""
        boxes, labels = with_spare_row(found.boxes), with_spare_row(found.labels)
        features = self.mask_features(levels, boxes, with_spare_box(found.counts))
        logits = self.mask_head(features, labels)  # (R + 1, M, M)
        # Gathered, since a slice fails where it leaves no rows.
        return paddle.gather(logits, paddle.arange(paddle.shape(found.labels)[0]))
