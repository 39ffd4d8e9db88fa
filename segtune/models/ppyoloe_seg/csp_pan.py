"""The neck of PP-YOLOE: features of three strides exchanged downwards, then upwards.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.cspresnet import BasicBlock


class PyramidPooling(nn.Layer):
    """Add the maxima of three growing neighbourhoods to every cell."""

    def __init__(self, channels: int, kernel_sizes: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        self.kernel_sizes = tuple(kernel_sizes)
        self.conv = ConvNorm(channels * (len(kernel_sizes) + 1), channels, 1, activation=F.silu)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to one of the same shape."""
        pooled = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in self.kernel_sizes]
        return self.conv(paddle.concat([x, *pooled], axis=1))


class NeckStage(nn.Layer):
    """Two 1x1 projections, one of them refined by blocks, joined by a third."""

    def __init__(
        self, in_channels: int, out_channels: int, num_blocks: int, *, pyramid: bool = False
    ) -> None:
        super().__init__()
        middle = out_channels // 2
        self.conv1 = ConvNorm(in_channels, middle, 1, activation=F.silu)
        self.conv2 = ConvNorm(in_channels, middle, 1, activation=F.silu)
        self.convs = nn.Sequential()
        for index in range(num_blocks):
            block = BasicBlock(middle, shortcut=False, weighted=False)
            self.convs.add_sublayer(str(index), block)
            if pyramid and index == (num_blocks - 1) // 2:
                self.convs.add_sublayer("spp", PyramidPooling(middle))
        self.conv3 = ConvNorm(2 * middle, out_channels, 1, activation=F.silu)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h, w)."""
        return self.conv3(paddle.concat([self.conv1(x), self.convs(self.conv2(x))], axis=1))


class CspPan(nn.Layer):
    """Path aggregation over strides 32, 16 and 8.

    Module lists start at the coarse end, as the published weights do: index 0 of `fpn_stages`
    and of `pan_stages` works at stride 32.

    Args:
        in_channels: Of the backbone's features at strides 32, 16 and 8.
        out_channels: Of this neck's features at the same strides.
        num_blocks: Blocks of each stage.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: Sequence[int], num_blocks: int
    ) -> None:
        super().__init__()
        self.fpn_stages = nn.LayerList()
        self.fpn_routes = nn.LayerList()
        for level, (lateral, width) in enumerate(zip(in_channels, out_channels, strict=True)):
            # The route from above has half the channels of the level above.
            above = out_channels[level - 1] // 2 if level else 0
            stage = NeckStage(lateral + above, width, num_blocks, pyramid=level == 0)
            self.fpn_stages.append(nn.Sequential(stage))
            if level < len(in_channels) - 1:
                self.fpn_routes.append(ConvNorm(width, width // 2, 1, activation=F.silu))
        self.pan_stages = nn.LayerList()
        self.pan_routes = nn.LayerList()
        for width, finer in pairwise(out_channels):
            self.pan_routes.append(ConvNorm(finer, finer, 3, stride=2, activation=F.silu))
            self.pan_stages.append(nn.Sequential(NeckStage(finer + width, width, num_blocks)))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Map features of strides 8, 16, 32 to features of strides 32, 16, 8."""
        top_down = [self.fpn_stages[0](features[-1])]
        for level in range(1, len(self.fpn_stages)):
            above = double_nearest(self.fpn_routes[level - 1](top_down[-1]))
            joined = paddle.concat([above, features[-1 - level]], axis=1)
            top_down.append(self.fpn_stages[level](joined))

        bottom_up = [top_down[-1]]
        for level in range(len(self.pan_stages) - 1, -1, -1):
            below = self.pan_routes[level](bottom_up[0])
            joined = paddle.concat([below, top_down[level]], axis=1)
            bottom_up.insert(0, self.pan_stages[level](joined))
        return bottom_up


def double_nearest(x: Tensor) -> Tensor:
    """Repeat every cell of (N, C, h, w) twice in both directions.

    Written without interpolation, which Paddle 3.3 cannot run under oneDNN.
    """
    channels, height, width = x.shape[1:]
    cells = x.reshape([-1, channels, height, 1, width, 1])
    repeated = cells.expand([-1, channels, height, 2, width, 2])
    return repeated.reshape([-1, channels, 2 * height, 2 * width])
