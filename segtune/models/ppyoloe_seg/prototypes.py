"""Basis masks that all instances of an image share.

Shapes: N images, P prototypes, h x w finest feature map of the neck.
"""

from __future__ import annotations

from math import sqrt

import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm


class PrototypeBranch(nn.Layer):
    """Compute basis masks at twice the resolution of a feature map.

    See https://arxiv.org/abs/1904.02689. The last convolution keeps norm and activation, unlike
    there, because the published weights do.
    """

    def __init__(self, in_channels: int, hidden_channels: int, num_prototypes: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, hidden_channels, 3)
        self.upsample = nn.Conv2DTranspose(hidden_channels, hidden_channels, 2, stride=2)
        self.conv2 = _conv(hidden_channels, hidden_channels, 3)
        self.conv3 = _conv(hidden_channels, num_prototypes, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to prototypes (N, P, 2h, 2w)."""
        doubled = self.upsample(self.conv1(feature))  # (N, hidden, 2h, 2w)
        return self.conv3(self.conv2(doubled))


def _conv(in_channels: int, out_channels: int, kernel_size: int) -> ConvNorm:
    limit = 1 / sqrt(in_channels * kernel_size**2)
    uniform = nn.initializer.Uniform(-limit, limit)
    return ConvNorm(in_channels, out_channels, kernel_size, activation=F.silu, weight_init=uniform)
