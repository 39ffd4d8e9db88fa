"""PP-HGNetV2: blocks that gather the outputs of all their layers.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import Activation, ConvNorm


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation | None = F.relu,
) -> ConvNorm:
    """Return a layer as every part of the backbone has it, its norm frozen."""
    return ConvNorm(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        groups=groups,
        activation=activation,
        weight_init=nn.initializer.KaimingNormal(),
        frozen_norm=True,
    )


class StageShape(NamedTuple):
    """The size of one stage.

    Attributes:
        middle: Channels of the layers inside a block.
        out: Channels of the stage's output.
        num_blocks: Blocks, one after the other.
        num_layers: Layers of each block.
        light: Whether layers are a 1x1 and a depthwise 5x5 convolution, not one of 3x3.
        downsample: Whether the stage begins by halving the resolution.
    """

    middle: int
    out: int
    num_blocks: int
    num_layers: int
    light: bool
    downsample: bool


class LightLayer(nn.Layer):
    """Mix the channels, then look around within each."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = _conv_norm(in_channels, out_channels, 1, activation=None)
        self.conv2 = _conv_norm(out_channels, out_channels, 5, groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h, w)."""
        return self.conv2(self.conv1(x))


class GatherBlock(nn.Layer):
    """A chain of layers whose input and outputs are all squeezed into the block's output."""

    def __init__(self, in_channels: int, shape: StageShape, *, shortcut: bool) -> None:
        super().__init__()
        inputs = [in_channels] + [shape.middle] * (shape.num_layers - 1)
        self.layers = nn.LayerList(
            [
                LightLayer(width, shape.middle)
                if shape.light
                else _conv_norm(width, shape.middle, 3)
                for width in inputs
            ]
        )
        gathered = in_channels + shape.num_layers * shape.middle
        self.aggregation_squeeze_conv = _conv_norm(gathered, shape.out // 2, 1)
        self.aggregation_excitation_conv = _conv_norm(shape.out // 2, shape.out, 1)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h, w)."""
        outputs = [x]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        squeezed = self.aggregation_squeeze_conv(paddle.concat(outputs, axis=1))
        y = self.aggregation_excitation_conv(squeezed)
        return y + x if self.shortcut else y


class Stage(nn.Layer):
    """Blocks of one resolution, and the way down to it."""

    def __init__(self, in_channels: int, shape: StageShape) -> None:
        super().__init__()
        self.downsample = (
            _conv_norm(in_channels, in_channels, 3, stride=2, groups=in_channels, activation=None)
            if shape.downsample
            else None
        )
        self.blocks = nn.Sequential(
            GatherBlock(in_channels, shape, shortcut=False),
            *[GatherBlock(shape.out, shape, shortcut=True) for _ in range(shape.num_blocks - 1)],
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h, w), or half of h and w."""
        return self.blocks(x if self.downsample is None else self.downsample(x))


class Stem(nn.Layer):
    """A convolution, then a pooling beside two more, down to stride 4; frozen."""

    def __init__(self, middle: int, out: int) -> None:
        super().__init__()
        self.stem1 = _conv_norm(3, middle, 3, stride=2)
        self.stem2a = _conv_norm(middle, middle // 2, 2)
        self.stem2b = _conv_norm(middle // 2, middle, 2)
        self.stem3 = _conv_norm(2 * middle, middle, 3, stride=2)
        self.stem4 = _conv_norm(middle, out, 1)
        for parameter in self.parameters():
            parameter.stop_gradient = True

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, h, w) to a feature (N, C, h/4, w/4)."""
        x = self.stem1(images)  # (N, C, h/2, w/2)
        # Zeros at the right and the bottom never win: what they stand beside has no negatives.
        pooled = F.max_pool2d(F.pad(x, [0, 1, 0, 1]), kernel_size=2, stride=1)
        looked = self.stem2b(self.stem2a(x))
        x = self.stem3(paddle.concat([pooled, looked], axis=1))  # (N, C, h/4, w/4)
        return self.stem4(x)


class HgNetV2(nn.Layer):
    """Backbone of RT-DETR (https://arxiv.org/abs/2304.08069): strides 4, 8, 16 and 32.

    Stem and norms are frozen, as fine-tuning from published weights wants them.

    Args:
        stem_channels: Inside the stem, and of its output.
        stages: Four of them.
    """

    def __init__(self, stem_channels: tuple[int, int], stages: Sequence[StageShape]) -> None:
        super().__init__()
        self.stem = Stem(*stem_channels)
        inputs = [stem_channels[1], *(shape.out for shape in stages[:-1])]
        self.stages = nn.LayerList(
            [Stage(width, shape) for width, shape in zip(inputs, stages, strict=True)]
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, h, w) to features at strides 4, 8, 16 and 32."""
        x = self.stem(images)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
