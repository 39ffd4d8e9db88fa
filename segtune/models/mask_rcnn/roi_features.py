"""What a box head sees of a region: pooled features, and a vector made of them.

Shapes: N images, R regions of all images, C channels, D numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rcnn.roi_align import RoiAlign
from segtune.models.resnet import ResStage

POOLED = 7  # cells of a side
LINEAR_WIDTH = 1024


class TwoLinearLayers(nn.Layer):
    """Features from the pyramid, and two linear layers over all of their cells.

    Args:
        channels: Of every level.
        strides: Of the levels that serve boxes.
        aligned: As in `RoiAlign`.
    """

    out_width = LINEAR_WIDTH

    def __init__(self, channels: int, strides: Sequence[int], *, aligned: bool = True) -> None:
        super().__init__()
        self.features = RoiAlign(POOLED, strides, aligned=aligned)
        width = channels * POOLED**2
        self.fc6 = _linear(width, fan_out=width)
        self.fc7 = _linear(LINEAR_WIDTH, fan_out=LINEAR_WIDTH)

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return vectors (R, D) of boxes (R, 4), `counts` (N,) of them in each image."""
        pooled = self.features(levels, boxes, counts).flatten(1)
        return F.relu(self.fc7(F.relu(self.fc6(pooled))))


class StageFive(nn.Layer):
    """The backbone's last stage, which works on every region apart; the mask head shares it.

    Args:
        channels: Of the one level.
        stride: Of that level.
        aligned: As in `RoiAlign`.
    """

    def __init__(self, channels: int, stride: int, *, aligned: bool = True) -> None:
        super().__init__()
        self._pool = RoiAlign(2 * POOLED, [stride], aligned=aligned)
        self.res5 = ResStage(5, channels, 3, "b")
        self.out_width = self.res5.out_channels

    def features(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return features (R, C, 7, 7) of boxes (R, 4), `counts` (N,) of them in each image."""
        return self.res5(self._pool(levels, boxes, counts))

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return the means (R, D) of the features."""
        return self.features(levels, boxes, counts).mean(axis=[2, 3])


def _linear(in_width: int, *, fan_out: int) -> nn.Linear:
    limit = sqrt(6 / (in_width + fan_out))  # Xavier
    return nn.Linear(
        in_width,
        LINEAR_WIDTH,
        weight_attr=nn.initializer.Uniform(-limit, limit),
        bias_attr=nn.initializer.Constant(0.0),
    )
