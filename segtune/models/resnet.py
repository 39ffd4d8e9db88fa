"""ResNet and ResNeXt, in the variants that PaddleDetection calls b and d ("vd").

Both halve the resolution in the 3x3 convolution of a block. Variant d begins with three 3x3
convolutions in place of one 7x7, and averages cells before the 1x1 convolution of a shortcut.
See https://arxiv.org/abs/1512.03385, https://arxiv.org/abs/1611.05431 and, for variant d,
https://arxiv.org/abs/1812.01187.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Literal

import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import Activation, ConvNorm

Variant = Literal["b", "d"]

STAGE_CHANNELS = (64, 128, 256, 512)  # c of res2 to res5; a stage returns 4 c
NUM_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # by depth
_EXPANSION = 4
_LETTERS_UP_TO = 10  # blocks of res4; more of them are numbered


class ResNet(nn.Layer):
    """Stem and stages res2, res3 and so on, with frozen norms; stem and res2 learn nothing.

    Args:
        depth: A key of NUM_BLOCKS.
        variant: "b" or "d".
        groups: Of the 3x3 convolutions; 1 for ResNet.
        base_width: Channels of a group in res2; 64 for ResNet.
        stages: Which stages' features are returned, from 2 to 5; those behind are not built.
    """

    def __init__(
        self,
        depth: int,
        variant: Variant,
        *,
        groups: int = 1,
        base_width: int = 64,
        stages: Sequence[int] = (2, 3, 4, 5),
    ) -> None:
        super().__init__()
        self._returned = tuple(stages)
        self.conv1 = _stem(variant)
        in_channels = 64
        for stage in range(2, max(stages) + 1):
            built = ResStage(
                stage,
                in_channels,
                NUM_BLOCKS[depth][stage - 2],
                variant,
                groups=groups,
                base_width=base_width,
            )
            self.add_sublayer(f"res{stage}", built)
            in_channels = built.out_channels
        for fixed in (self.conv1, self.res2):
            for parameter in fixed.parameters():
                parameter.stop_gradient = True

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, h, w) to the features asked for, at strides 4, 8, 16 and 32."""
        x = F.max_pool2d(self.conv1(images), kernel_size=3, stride=2, padding=1)
        features = []
        for stage in range(2, max(self._returned) + 1):
            x = getattr(self, f"res{stage}")(x)
            if stage in self._returned:
                features.append(x)
        return features


class ResStage(nn.Layer):
    """Blocks one after the other, the first of which halves the resolution, but for res2.

    Args:
        stage: 2 to 5.
        in_channels: Of the feature that comes in.
        num_blocks: How many.
        variant: "b" or "d".
        groups: Of the 3x3 convolutions.
        base_width: Channels of a group in res2.
    """

    def __init__(
        self,
        stage: int,
        in_channels: int,
        num_blocks: int,
        variant: Variant,
        *,
        groups: int = 1,
        base_width: int = 64,
    ) -> None:
        super().__init__()
        channels = STAGE_CHANNELS[stage - 2]
        self.out_channels = _EXPANSION * channels
        for index, name in enumerate(_block_names(stage, num_blocks)):
            block = Bottleneck(
                in_channels if index == 0 else self.out_channels,
                width=channels * base_width // 64 * groups,
                out_channels=self.out_channels,
                stride=2 if index == 0 and stage > 2 else 1,
                groups=groups,
                variant=variant,
            )
            self.add_sublayer(name, block)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / 2, w / 2); res2 keeps the size."""
        for block in self.children():
            x = block(x)
        return x


class Bottleneck(nn.Layer):
    """A 1x1, a 3x3 and a 1x1 convolution beside a shortcut; norms are frozen."""

    def __init__(
        self,
        in_channels: int,
        *,
        width: int,
        out_channels: int,
        stride: int,
        groups: int,
        variant: Variant,
    ) -> None:
        super().__init__()
        self.branch2a = _conv_norm(in_channels, width, 1)
        self.branch2b = _conv_norm(width, width, 3, stride=stride, groups=groups)
        self.branch2c = _conv_norm(width, out_channels, 1, activation=None)
        self.short = None
        if in_channels != out_channels or stride != 1:
            self.short = _shortcut(in_channels, out_channels, stride, variant)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / stride, w / stride)."""
        shortcut = x if self.short is None else self.short(x)
        return F.relu(self.branch2c(self.branch2b(self.branch2a(x))) + shortcut)


def _stem(variant: Variant) -> nn.Sequential:
    if variant == "b":
        return nn.Sequential(("conv1", _conv_norm(3, 64, 7, stride=2)))
    return nn.Sequential(
        ("conv1_1", _conv_norm(3, 32, 3, stride=2)),
        ("conv1_2", _conv_norm(32, 32, 3)),
        ("conv1_3", _conv_norm(32, 64, 3)),
    )


def _shortcut(in_channels: int, out_channels: int, stride: int, variant: Variant) -> nn.Layer:
    if variant == "b" or stride == 1:
        return _conv_norm(in_channels, out_channels, 1, stride=stride, activation=None)
    return nn.Sequential(
        ("pool", nn.AvgPool2D(stride, stride, ceil_mode=True)),
        ("conv", _conv_norm(in_channels, out_channels, 1, activation=None)),
    )


def _block_names(stage: int, num_blocks: int) -> list[str]:
    """Return res4a, res4b, res4c or, where they are many, res4a, res4b1, res4b2."""
    if num_blocks > _LETTERS_UP_TO:
        return [f"res{stage}a", *(f"res{stage}b{number}" for number in range(1, num_blocks))]
    return [f"res{stage}{letter}" for letter in "abcdefghij"[:num_blocks]]


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation | None = F.relu,
) -> ConvNorm:
    deviation = sqrt(2 / (kernel_size**2 * in_channels))
    return ConvNorm(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        groups=groups,
        activation=activation,
        weight_init=nn.initializer.Normal(0.0, deviation),
        frozen_norm=True,
        names=("conv", "norm"),
    )
