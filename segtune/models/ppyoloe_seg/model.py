"""PP-YOLOE_seg: the PP-YOLOE detector with mask coefficients and prototypes.

Shapes: N images, h x w network input, R rows of all images.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.box_ops import boxes_around
from segtune.models.ppyoloe_seg.assigner import assign_by_alignment
from segtune.models.ppyoloe_seg.head import Predictions, YoloHead
from segtune.models.ppyoloe_seg.losses import losses_of
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.models.spare_row import with_spare_row
from segtune.outputs import MaskFrame, Outputs

# Of the non-maximum suppression, as upstream's ppyoloe_seg configuration states them.
MIN_SCORE = 0.01
MAX_BOXES_PER_CLASS = 1000
MAX_IOU = 0.7
MAX_ROWS_PER_IMAGE = 300


class PpYoloeSeg(InstanceSegmenter):
    """Backbone, neck and head of PP-YOLOE_seg, and how detections and losses follow from them.

    Args:
        backbone: Images to features at strides 8, 16 and 32.
        neck: Those to features at strides 32, 16 and 8.
        yolo_head: Those to predictions at every point.
    """

    size_divisor = 32
    mask_stride = 4
    mask_frame = MaskFrame.INPUT
    architecture = "PPYOLOE"

    def __init__(self, backbone: nn.Layer, neck: nn.Layer, yolo_head: YoloHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.yolo_head = yolo_head

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Return `loss` and its parts for images (N, 3, h, w); `loss_l1` is not a part."""
        head = self.yolo_head
        raw = head.raw(self.neck(self.backbone(images)))
        with paddle.no_grad():
            distances = head.decode_distances(raw.bin_rows())
            cells = boxes_around(raw.points, distances.reshape([images.shape[0], -1, 4]))
            scores = F.sigmoid(raw.class_logits)
            boxes, points = cells * raw.strides, raw.points * raw.strides
        assignment = assign_by_alignment(scores, boxes, points, targets)
        return losses_of(
            raw, assignment, targets, head.decode_distances, mask_stride=self.mask_stride
        )

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        """Find the instances on images (N, 3, h, w); rows of an image are sorted by label."""
        predictions: Predictions = self.yolo_head(self.neck(self.backbone(images)))
        boxes = boxes_around(predictions.points, predictions.distances) * predictions.strides
        rows, kept, counts = paddle._C_ops.multiclass_nms3(
            boxes,
            predictions.scores,
            None,
            MIN_SCORE,
            MAX_BOXES_PER_CLASS,
            MAX_ROWS_PER_IMAGE,
            MAX_IOU,
            True,  # sides are x2 - x1, not x2 - x1 + 1
            1.0,  # the IoU limit does not shrink
            -1,  # no label is background
        )
        # Unstacked, since oneDNN does not give the column of no rows the shape (0,).
        labels, scores, *_ = paddle.unstack(rows, axis=1)
        masks = mask_logits(predictions, kept.flatten())
        return Outputs(rows[:, 2:], scores, labels.astype("int64"), masks, counts)


def mask_logits(predictions: Predictions, kept: Tensor) -> Tensor:
    """Return the mask logits (R, h/4, w/4) of the points `kept` (R,), image * L + point.

    Each row of coefficients is laid at the place of its image among those of all N images, and
    zeros elsewhere, so that one 2-D product serves any batch: products of more dimensions go
    wrong under oneDNN, and rows padded to the fullest image would need a copy of all masks.
    """
    num_prototypes, num_points = predictions.coefficients.shape[1:]
    height, width = predictions.prototypes.shape[2:]
    padded = with_spare_row(kept)  # (R + 1,); left out again at the end
    rows = predictions.coefficients.transpose([0, 2, 1]).reshape([-1, num_prototypes])
    coefficients = paddle.gather(rows, padded)  # (R + 1, P)
    # The batch size is read as a tensor, because an exported graph does not know it.
    images = paddle.arange(paddle.shape(predictions.prototypes)[0], dtype=kept.dtype)  # (N,)
    own = (padded.unsqueeze(1) // num_points == images).astype(rows.dtype)  # (R + 1, N)
    placed = (own.unsqueeze(2) * coefficients.unsqueeze(1)).flatten(1)  # (R + 1, N * P)
    logits = paddle.matmul(placed, predictions.prototypes.reshape([-1, height * width]))
    wanted = paddle.arange(paddle.shape(kept)[0])  # a slice fails where it leaves no rows
    return paddle.gather(logits.reshape([-1, height, width]), wanted)
