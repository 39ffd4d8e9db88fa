"""What PP-YOLOE_seg predicts at every point of its three feature maps.

Shapes: N images, L points of all levels, K classes, P prototypes, B bins of a distance,
h x w feature map of one level. Levels are ordered from stride 32 to stride 8, points row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.ppyoloe_seg.prototypes import PrototypeBranch

FIRST_SCORE = 0.01  # of every class before training, so that background dominates


class RawPredictions(NamedTuple):
    """Outputs of the last convolutions, which the losses are computed from."""

    class_logits: Tensor  # (N, K, L)
    bin_logits: Tensor  # (N, 4 * B, L), side by side: left, top, right, bottom
    coefficients: Tensor  # (N, P, L)
    prototypes: Tensor  # (N, P, H/4, W/4) of an H x W input
    points: Tensor  # (L, 2) x, y in cells of the point's own level
    strides: Tensor  # (L, 1) pixels a cell

    def bin_rows(self) -> Tensor:
        """Return the bin logits point by point (N * L, 4 * B)."""
        return self.bin_logits.transpose([0, 2, 1]).flatten(0, 1)

    def coefficient_rows(self) -> Tensor:
        """Return the coefficients point by point (N * L, P)."""
        return self.coefficients.transpose([0, 2, 1]).flatten(0, 1)


class Predictions(NamedTuple):
    """What boxes and masks are assembled from."""

    scores: Tensor  # (N, K, L), 0..1
    distances: Tensor  # (N, L, 4) left, top, right, bottom, in cells
    coefficients: Tensor  # (N, P, L)
    prototypes: Tensor  # (N, P, H/4, W/4)
    points: Tensor  # (L, 2)
    strides: Tensor  # (L, 1)


class AttentionStem(nn.Layer):
    """Weigh the channels of a level by its mean features, then mix them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1, weight_attr=nn.initializer.Normal(0.0, 0.001))
        self.conv = ConvNorm(channels, channels, 1, activation=F.silu)

    def forward(self, feature: Tensor, mean: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) and its mean (N, C, 1, 1) to (N, C, h, w)."""
        return self.conv(feature * F.sigmoid(self.fc(mean)))


class YoloHead(nn.Layer):
    """Scores, distances to the sides of a box, and mask coefficients at every point.

    Args:
        in_channels: Of the features at `strides`.
        strides: From coarse to fine.
        num_classes: K.
        num_bins: B; a distance is the mean of 0..B-1 cells under a learned distribution
            (https://arxiv.org/abs/2006.04388).
        num_prototypes: P.
        prototype_channels: Width of the prototype branch.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        num_bins: int = 17,
        num_prototypes: int = 32,
        prototype_channels: int = 128,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.num_bins = num_bins
        zero = nn.initializer.Constant(0.0)
        first_logit = nn.initializer.Constant(-log(1 / FIRST_SCORE - 1))
        one = nn.initializer.Constant(1.0)
        self.stem_cls = nn.LayerList([AttentionStem(width) for width in in_channels])
        self.stem_reg = nn.LayerList([AttentionStem(width) for width in in_channels])
        self.stem_ins = nn.LayerList([AttentionStem(width) for width in in_channels])
        self.pred_cls = _predictors(in_channels, num_classes, weight=zero, bias=first_logit)
        self.pred_reg = _predictors(in_channels, 4 * num_bins, weight=zero, bias=one)
        self.pred_ins = _predictors(in_channels, num_prototypes)
        # The values of the bins. Published weights hold them as a frozen convolution.
        values = np.arange(num_bins, dtype=np.float32).reshape(1, num_bins, 1, 1)
        self.proj_conv = nn.Conv2D(
            num_bins, 1, 1, weight_attr=nn.initializer.Assign(values), bias_attr=False
        )
        self.proj_conv.weight.stop_gradient = True
        self.proto = PrototypeBranch(in_channels[-1], prototype_channels, num_prototypes)

    def forward(self, features: Sequence[Tensor]) -> Predictions:
        """Map features of the strides, coarse first, to what detections are made from."""
        raw = self.raw(features)
        return Predictions(
            F.sigmoid(raw.class_logits),
            self.decode_distances(raw.bin_rows()).reshape([-1, raw.points.shape[0], 4]),
            raw.coefficients,
            raw.prototypes,
            raw.points,
            raw.strides,
        )

    def raw(self, features: Sequence[Tensor]) -> RawPredictions:
        """Map features of the strides, coarse first, to the outputs of the last convolutions."""
        class_logits, bin_logits, coefficients = [], [], []
        for level, feature in enumerate(features):
            mean = F.adaptive_avg_pool2d(feature, 1)  # (N, C, 1, 1)
            of_class = self.stem_cls[level](feature, mean) + feature
            of_mask = self.stem_ins[level](feature, mean) + feature
            of_box = self.stem_reg[level](feature, mean)
            class_logits.append(self.pred_cls[level](of_class).flatten(2))  # (N, K, h*w)
            bin_logits.append(self.pred_reg[level](of_box).flatten(2))
            coefficients.append(self.pred_ins[level](of_mask).flatten(2))
        sizes_hw = [(feature.shape[2], feature.shape[3]) for feature in features]
        return RawPredictions(
            paddle.concat(class_logits, axis=2),
            paddle.concat(bin_logits, axis=2),
            paddle.concat(coefficients, axis=2),
            self.proto(features[-1]),
            *grid_points(sizes_hw, self.strides),
        )

    def decode_distances(self, bin_rows: Tensor) -> Tensor:
        """Return the mean distances (M, 4) in cells of rows of bin logits (M, 4 * B)."""
        bins = bin_rows.reshape([-1, self.num_bins])  # (M*4, B)
        values = self.proj_conv.weight.reshape([self.num_bins, 1])
        return paddle.matmul(F.softmax(bins, axis=1), values).reshape([-1, 4])


def grid_points(
    sizes_hw: Sequence[tuple[int, int]], strides: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the cell centres (L, 2) of feature maps in cells, and the strides (L, 1) in pixels."""
    points, point_strides = [], []
    for level, stride in enumerate(strides):
        height, width = sizes_hw[level]
        y, x = paddle.meshgrid(
            paddle.arange(height, dtype="float32") + 0.5,
            paddle.arange(width, dtype="float32") + 0.5,
        )
        points.append(paddle.stack([x.flatten(), y.flatten()], axis=1))  # (h*w, 2)
        point_strides.append(paddle.full([height * width, 1], float(stride)))
    return paddle.concat(points), paddle.concat(point_strides)


def _predictors(
    in_channels: Sequence[int],
    out_channels: int,
    *,
    weight: nn.initializer.Initializer | None = None,
    bias: nn.initializer.Initializer | None = None,
) -> nn.LayerList:
    return nn.LayerList(
        [
            nn.Conv2D(width, out_channels, 3, padding=1, weight_attr=weight, bias_attr=bias)
            for width in in_channels
        ]
    )
