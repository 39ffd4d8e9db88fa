"""Scores and boxes of regions become the rows of an image: a threshold, then suppression.

Shapes: N images, P regions of each image, K classes, L labels of a region that may be above the
threshold, c = P * L candidates, R rows.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor

from segtune.models.mask_rcnn.box_coder import Weights, clip_boxes, decode
from segtune.models.rows_of_images import rows_of_images

MIN_SCORE = 0.05  # strict
MAX_LABELS_PER_REGION = round(1 / MIN_SCORE) - 1  # above it, as all scores of a region sum to 1
MAX_IOU = 0.5
MAX_ROWS_PER_IMAGE = 100


class ScoredRois(NamedTuple):
    """What a box head says about the regions of all images."""

    scores: Tensor  # (N, P, K), 0..1
    is_valid: Tensor  # (N, P) bool
    boxes: Tensor  # (N, P, 4), xyxy in pixels of the network input
    deltas: Tensor  # (N, P, 4K), or (N, P, 4) where all classes share them
    weights: Weights  # of the deltas
    sizes_hw: Tensor  # (N, 2), of the images, without padding


class Detections(NamedTuple):
    """Rows of all images, one after the other."""

    boxes: Tensor  # (R, 4), xyxy in pixels of the network input, clipped to the image
    scores: Tensor  # (R,)
    labels: Tensor  # (R,) int64
    counts: Tensor  # (N,) int32, rows of each image


def best_detections(rois: ScoredRois) -> Detections:
    """Return the best boxes of every class, without those that overlap a better one of it."""
    num_regions, num_classes = rois.scores.shape[1:]
    num_boxes = rois.deltas.shape[2] // 4  # of a region: K or 1
    scores, labels = paddle.topk(rois.scores, min(num_classes, MAX_LABELS_PER_REGION), axis=2)
    scores = scores * rois.is_valid.astype(scores.dtype).unsqueeze(2)  # (N, P, L)
    regions = paddle.arange(num_regions, dtype="int64").unsqueeze(1)  # (P, 1)
    rows = regions * num_boxes + (labels if num_boxes == num_classes else labels * 0)
    deltas = rows_of_images(
        rois.deltas.reshape([-1, num_regions * num_boxes, 4]), rows.flatten(1)
    )  # (N, c, 4)
    starts = rows_of_images(rois.boxes, (regions + labels * 0).flatten(1))
    boxes = clip_boxes(decode(starts, deltas, rois.weights), rois.sizes_hw)
    scores, labels = scores.flatten(1), labels.flatten(1)  # (N, c)
    is_label = labels.unsqueeze(1) == paddle.arange(num_classes).reshape([1, -1, 1])  # (N, K, c)
    rows, _, counts = paddle._C_ops.multiclass_nms3(
        boxes,
        scores.unsqueeze(1) * is_label.astype(scores.dtype),
        None,
        MIN_SCORE,
        num_regions,  # all candidates of a class take part; -1 would say so too, but not in ONNX
        MAX_ROWS_PER_IMAGE,
        MAX_IOU,
        True,  # sides are x2 - x1, not x2 - x1 + 1
        1.0,  # the IoU limit does not shrink
        -1,  # no label is background
    )
    # Unstacked, since oneDNN does not give the column of no rows the shape (0,).
    labels, scores, *_ = paddle.unstack(rows, axis=1)
    return Detections(rows[:, 2:], scores, labels.astype("int64"), counts)
