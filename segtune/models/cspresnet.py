"""CSPResNet: residual blocks with RepVGG branches, in cross-stage stages.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.rep_vgg import RepVggBlock


class BasicBlock(nn.Layer):
    """A 3x3 convolution and a RepVGG block, around which the input may be added."""

    def __init__(self, channels: int, *, shortcut: bool, weighted: bool) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3, activation=F.silu)
        self.conv2 = RepVggBlock(channels, weighted=weighted)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to one of the same shape."""
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class ChannelAttention(nn.Layer):
    """Scale every channel by a hard sigmoid of the image's mean features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to one of the same shape."""
        mean = F.adaptive_avg_pool2d(x, 1)  # (N, C, 1, 1)
        return x * F.hardsigmoid(self.fc(mean))


class CspStage(nn.Layer):
    """Halve the resolution, send half of the channels through residual blocks, join both."""

    def __init__(self, in_channels: int, out_channels: int, num_blocks: int) -> None:
        super().__init__()
        middle = (in_channels + out_channels) // 2
        half = middle // 2
        self.conv_down = ConvNorm(in_channels, middle, 3, stride=2, activation=F.silu)
        self.conv1 = ConvNorm(middle, half, 1, activation=F.silu)
        self.conv2 = ConvNorm(middle, half, 1, activation=F.silu)
        self.blocks = nn.Sequential(
            *[BasicBlock(half, shortcut=True, weighted=True) for _ in range(num_blocks)]
        )
        self.attn = ChannelAttention(middle)
        self.conv3 = ConvNorm(middle, out_channels, 1, activation=F.silu)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h/2, w/2)."""
        x = self.conv_down(x)  # (N, C, h/2, w/2)
        joined = paddle.concat([self.conv1(x), self.blocks(self.conv2(x))], axis=1)
        return self.conv3(self.attn(joined))


class CspResNet(nn.Layer):
    """Backbone of PP-YOLOE (https://arxiv.org/abs/2203.16250): features at strides 8, 16, 32.

    Args:
        stem_channels: Output of the stem, at stride 2.
        stage_channels: Outputs of the four stages, at strides 4, 8, 16 and 32.
        stage_blocks: Residual blocks of each stage.
    """

    def __init__(
        self, stem_channels: int, stage_channels: Sequence[int], stage_blocks: Sequence[int]
    ) -> None:
        super().__init__()
        half = stem_channels // 2
        self.stem = nn.Sequential(
            ("conv1", ConvNorm(3, half, 3, stride=2, activation=F.silu)),
            ("conv2", ConvNorm(half, half, 3, activation=F.silu)),
            ("conv3", ConvNorm(half, stem_channels, 3, activation=F.silu)),
        )
        inputs = [stem_channels, *stage_channels[:-1]]
        self.stages = nn.Sequential(
            *[CspStage(*stage) for stage in zip(inputs, stage_channels, stage_blocks, strict=True)]
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, h, w) to features at strides 8, 16 and 32."""
        x = self.stem(images)  # (N, C, h/2, w/2)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[1:]
