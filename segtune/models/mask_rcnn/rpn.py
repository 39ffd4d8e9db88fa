"""The region proposal network: where an object may be, whatever it is.

See https://arxiv.org/abs/1506.01497. Shapes: N images, C channels, h x w feature map, A anchors of
a cell, L anchors of all levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rcnn.anchors import cell_anchors, grid_anchors
from segtune.models.mask_rcnn.box_coder import Weights
from segtune.models.mask_rcnn.box_loss import summed_l1
from segtune.models.mask_rcnn.matching import match
from segtune.models.mask_rcnn.proposals import LevelScores
from segtune.models.mask_rcnn.sampling import sample
from segtune.models.rows_of_images import rows_of_images
from segtune.models.segmenter import Targets

FOREGROUND_IOU, BACKGROUND_IOU = 0.7, 0.3
FOREGROUND_SHARE = 0.5


class RpnHead(nn.Layer):
    """A convolution over every level, and a logit and four deltas for each anchor.

    Args:
        channels: Of every level.
        anchor_sides: For each level, the sides of its anchors in pixels of the network input.
        strides: Of the levels.
        samples_per_image: Anchors that the losses look at.
    """

    def __init__(
        self,
        channels: int,
        anchor_sides: Sequence[Sequence[int]],
        strides: Sequence[int],
        *,
        samples_per_image: int = 256,
    ) -> None:
        super().__init__()
        self.samples_per_image = samples_per_image
        self._cells = [cell_anchors(sides) for sides in anchor_sides]
        self._strides = tuple(strides)
        num_anchors = len(self._cells[0])
        self.rpn_feat = nn.Sequential(("rpn_conv", _conv(channels, channels, 3)))
        self.rpn_rois_score = _conv(channels, num_anchors, 1)
        self.rpn_rois_delta = _conv(channels, 4 * num_anchors, 1)

    def forward(self, levels: Sequence[Tensor]) -> list[LevelScores]:
        """Return what is said about the anchors of levels (N, C, h, w)."""
        scores = []
        for cells, stride, level in zip(self._cells, self._strides, levels, strict=True):
            x = F.relu(self.rpn_feat(level))
            logits = self.rpn_rois_score(x).transpose([0, 2, 3, 1]).flatten(1)
            deltas = self.rpn_rois_delta(x).transpose([0, 2, 3, 1])  # (N, h, w, 4A)
            deltas = deltas.reshape([paddle.shape(level)[0], -1, 4])
            scores.append(LevelScores(grid_anchors(cells, stride, level), logits, deltas))
        return scores

    def losses(self, scores: Sequence[LevelScores], targets: Targets) -> dict[str, Tensor]:
        """Return `loss_rpn_cls` and `loss_rpn_reg`.

        Both are sums over sampled anchors, divided by the number that is meant to be sampled.

        Args:
            scores: Of all levels.
            targets: With at least one row.
        """
        anchors = paddle.concat([level.anchors for level in scores])  # (L, 4)
        logits = paddle.concat([level.logits for level in scores], axis=1)  # (N, L)
        deltas = paddle.concat([level.deltas for level in scores], axis=1)
        num_images = logits.shape[0]
        matches = match(
            anchors.unsqueeze(0),
            targets,
            foreground_iou=FOREGROUND_IOU,
            background_iou=BACKGROUND_IOU,
            keep_best=True,
        )
        sampled = sample(
            matches.is_foreground,
            matches.is_background,
            most=self.samples_per_image,
            foreground_share=FOREGROUND_SHARE,
        )
        is_foreground = rows_of_images(matches.is_foreground, sampled.rows) & sampled.is_valid
        wanted = rows_of_images(
            targets.boxes, rows_of_images(matches.instances, sampled.rows)
        )  # (N, S, 4)
        starts = paddle.gather(anchors, sampled.rows.flatten()).reshape(wanted.shape)
        entropy = F.binary_cross_entropy_with_logits(
            rows_of_images(logits, sampled.rows),
            is_foreground.astype(logits.dtype),
            weight=sampled.is_valid.astype(logits.dtype),
            reduction="sum",
        )
        distance = summed_l1(
            rows_of_images(deltas, sampled.rows), starts, wanted, is_foreground, Weights()
        )
        nominal = self.samples_per_image * num_images
        return {"loss_rpn_cls": entropy / nominal, "loss_rpn_reg": distance / nominal}


def _conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Conv2D:
    return nn.Conv2D(
        in_channels,
        out_channels,
        kernel_size,
        padding=kernel_size // 2,
        weight_attr=nn.initializer.Normal(0.0, 0.01),
        bias_attr=nn.initializer.Constant(0.0),
    )
