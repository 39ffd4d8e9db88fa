"""The best boxes of the proposal network, without those that overlap a better one.

As Paddle's `generate_proposals` and PaddleDetection do it, for each level apart.

All images of a batch go through every operator together, and every image has the same number of
rows, the last of which may be void: an exported graph then serves any batch size.

Shapes: N images, L cells times anchors of a level, k candidates of a level, P proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import paddle
from paddle import Tensor

from segtune.models.mask_rcnn.box_coder import Weights, clip_boxes, decode
from segtune.models.rows_of_images import rows_of_images
from segtune.models.spare_row import with_spare_row

MAX_IOU = 0.7
MIN_SIDE_PX = 1.0  # Paddle's operator raises a configured 0 to this
_VOID = -1e9  # below every logit
_LOWEST = -1e8  # above _VOID, below every logit


class ProposalCounts(NamedTuple):
    """How many boxes pass."""

    before_nms: int  # of each level
    final: int  # of each image


class LevelScores(NamedTuple):
    """What the proposal network says about the anchors of one level."""

    anchors: Tensor  # (L, 4)
    logits: Tensor  # (N, L)
    deltas: Tensor  # (N, L, 4)


class Proposals(NamedTuple):
    """Boxes that may show something, the best ones first."""

    boxes: Tensor  # (N, P, 4), xyxy in pixels of the network input, clipped to the image
    is_valid: Tensor  # (N, P) bool, false where an image has fewer


@paddle.no_grad()
def propose(levels: Sequence[LevelScores], sizes_hw: Tensor, counts: ProposalCounts) -> Proposals:
    """Return the proposals of images of the given heights and widths (N, 2), without padding."""
    boxes, logits = [], []
    for level in levels:
        level_boxes, level_logits = _candidates(level, sizes_hw, counts.before_nms)
        level_logits = _suppress(level_boxes, level_logits)
        # Where a level has no box at all, Paddle's operator gives one without area, of logit 0.
        filled = _first_where_all_void(level_logits)  # (N, k)
        boxes.append(level_boxes * (1 - filled).unsqueeze(2))
        logits.append(level_logits * (1 - filled))
    best, rows = _topk(paddle.concat(logits, axis=1), counts.final)
    is_valid = best > _LOWEST
    chosen = rows_of_images(paddle.concat(boxes, axis=1), rows)
    return Proposals(chosen * is_valid.astype(chosen.dtype).unsqueeze(2), is_valid)


def _candidates(level: LevelScores, sizes_hw: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the best boxes (N, k, 4) of a level and their logits (N, k)."""
    logits, rows = _topk(level.logits, most)
    anchors = paddle.gather(level.anchors, rows.flatten()).reshape([-1, most, 4])
    boxes = clip_boxes(decode(anchors, rows_of_images(level.deltas, rows), Weights()), sizes_hw)
    sides = boxes[:, :, 2:] - boxes[:, :, :2]
    is_large = (sides >= MIN_SIDE_PX).all(axis=2).astype(logits.dtype)
    return boxes, logits * is_large + (1 - is_large) * _VOID


def _topk(logits: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the `most` best logits (N, most) of (N, L) and their rows; void if there are fewer.

    The number does not follow L, which an exported graph does not know.
    """
    spare = paddle.full([paddle.shape(logits)[0], most], _VOID)
    best, rows = paddle.topk(paddle.concat([logits, spare], axis=1), most, axis=1)
    return best, paddle.minimum(rows, paddle.shape(logits)[1].astype("int64") - 1)


def _suppress(boxes: Tensor, logits: Tensor) -> Tensor:
    """Return logits (N, k), void where a better box (N, k, 4) overlaps the row's too much."""
    most = logits.shape[1]
    _, kept, _ = paddle._C_ops.multiclass_nms3(
        boxes,
        logits.unsqueeze(1),
        None,
        _LOWEST,
        most,  # all candidates take part; -1 would say so too, but not in ONNX
        most,  # and all that are left are kept
        MAX_IOU,
        True,  # sides are x2 - x1, not x2 - x1 + 1
        1.0,  # the IoU limit does not shrink
        -1,  # no label is background
    )
    # Counted from 1, so that the spare row falls on a place that is cut off again.
    kept = with_spare_row(kept.flatten().astype("int64") + 1)
    padded = paddle.concat([paddle.zeros([1]), logits.flatten()])
    void = paddle.full([paddle.shape(padded)[0]], _VOID)  # `full_like` warns while it is traced
    marked = paddle.scatter(void, kept, paddle.gather(padded, kept))
    return marked[1:].reshape([-1, most])


def _first_where_all_void(logits: Tensor) -> Tensor:
    """Return float32 (N, k), 1 at the first place of images whose logits are all void."""
    are_void = (logits.max(axis=1, keepdim=True) < _LOWEST).astype(logits.dtype)  # (N, 1)
    first = (paddle.arange(logits.shape[1]) == 0).astype(logits.dtype)
    return are_void * first
