"""The feature pyramid: every level sees what the deeper ones know.

See https://arxiv.org/abs/1612.03144. Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.upsample import NearestX2

CHANNELS = 256  # of every level


class FeaturePyramid(nn.Layer):
    """Convolutions without norm over the features res2 to res5 of a backbone.

    Args:
        in_channels: Of these features.
    """

    def __init__(self, in_channels: Sequence[int]) -> None:
        super().__init__()
        self._lateral_names, self._output_names = [], []
        for stage, channels in enumerate(in_channels, 2):
            is_deepest = stage == len(in_channels) + 1
            lateral = f"fpn_inner_res{stage}_sum" + ("" if is_deepest else "_lateral")
            output = f"fpn_res{stage}_sum"
            self.add_sublayer(lateral, _conv(channels, 1, fan_out=channels))
            self.add_sublayer(output, _conv(CHANNELS, 3, fan_out=9 * CHANNELS))
            self._lateral_names.append(lateral)
            self._output_names.append(output)
        self._twice = NearestX2()

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Map features (N, C, h, w) at strides 4 to 32 to P2 to P6, at strides 4 to 64."""
        *finer, deepest = (
            getattr(self, name)(feature)
            for name, feature in zip(self._lateral_names, features, strict=True)
        )
        sums = [deepest]
        for lateral in reversed(finer):
            sums.insert(0, lateral + self._twice(sums[0]))
        levels = [
            getattr(self, name)(total) for name, total in zip(self._output_names, sums, strict=True)
        ]
        return [*levels, F.max_pool2d(levels[-1], kernel_size=1, stride=2)]


def _conv(in_channels: int, kernel_size: int, *, fan_out: int) -> nn.Conv2D:
    limit = sqrt(6 / (in_channels * kernel_size**2 + fan_out))  # Xavier
    return nn.Conv2D(
        in_channels,
        CHANNELS,
        kernel_size,
        padding=kernel_size // 2,
        weight_attr=nn.initializer.Uniform(-limit, limit),
        bias_attr=nn.initializer.Constant(0.0),
    )
