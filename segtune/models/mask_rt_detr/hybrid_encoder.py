"""The neck: attention within one level, then convolutions across levels.

Shapes: N images, C width, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm
from segtune.models.mask_rt_detr.attention import SelfAttention, grid_positions
from segtune.models.mask_rt_detr.initialised import base_conv, equal_layers, uniform_linear
from segtune.models.mask_rt_detr.mask_features import MaskFeatureHead
from segtune.models.rep_vgg import RepVggBlock
from segtune.models.upsample import NearestX2

NUM_HEADS = 8


class EncoderLayer(nn.Layer):
    """Self-attention and a small network for each token, normalised after each addition."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, NUM_HEADS)
        self.linear1 = uniform_linear(dim, hidden)
        self.linear2 = uniform_linear(hidden, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Map tokens (N, T, C) to tokens (N, T, C)."""
        x = self.norm1(x + self.self_attn(x, positions))
        return self.norm2(x + self.linear2(F.gelu(self.linear1(x))))


class LevelEncoder(nn.Layer):
    """Encoder layers over all cells of one feature map; they begin as equal copies."""

    def __init__(self, dim: int, hidden: int, num_layers: int) -> None:
        super().__init__()
        self.layers = equal_layers(EncoderLayer(dim, hidden), num_layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to one of the same shape."""
        channels, height, width = x.shape[1:]
        tokens = x.flatten(2).transpose([0, 2, 1])  # (N, h*w, C)
        positions = grid_positions(height, width, channels)
        for layer in self.layers:
            tokens = layer(tokens, positions)
        # In this order: oneDNN's fusion of a transpose and a reshape after it crashes.
        return tokens.reshape([-1, height, width, channels]).transpose([0, 3, 1, 2])


class CspRepLayer(nn.Layer):
    """Two levels joined: half of the work through RepVGG blocks, half past them."""

    def __init__(self, width: int, hidden: int, num_blocks: int = 3) -> None:
        super().__init__()
        self.conv1 = base_conv(2 * width, hidden, 1)
        self.conv2 = base_conv(2 * width, hidden, 1)
        self.bottlenecks = nn.Sequential(
            *[RepVggBlock(hidden, weighted=False) for _ in range(num_blocks)]
        )
        self.conv3 = base_conv(hidden, width, 1) if hidden != width else None

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Join features (N, C, h, w) of equal shape to one of that shape."""
        x = paddle.concat([first, second], axis=1)
        y = self.bottlenecks(self.conv1(x)) + self.conv2(x)
        return y if self.conv3 is None else self.conv3(y)


class HybridEncoder(nn.Layer):
    """Neck of RT-DETR (https://arxiv.org/abs/2304.08069) with a branch for masks.

    Args:
        in_channels: Of the features at strides 4, 8, 16 and 32.
        width: C.
        encoded_level: The level whose cells attend to one another: 1 at stride 16, 2 at 32.
        num_layers: Of that attention.
        encoder_hidden: Width of its small network.
        csp_hidden: Width of the RepVGG blocks.
        mask_channels: Of the mask branch at stride 8 and at stride 4.
        num_prototypes: Of the last convolution of the mask branch.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        width: int,
        *,
        encoded_level: int,
        num_layers: int,
        encoder_hidden: int,
        csp_hidden: int,
        mask_channels: tuple[int, int],
        num_prototypes: int,
    ) -> None:
        super().__init__()
        self.encoded_level = encoded_level
        self.input_proj = nn.LayerList(
            [ConvNorm(channels, width, 1, names=("0", "1")) for channels in in_channels[1:]]
        )
        self.encoder = nn.LayerList([LevelEncoder(width, encoder_hidden, num_layers)])
        self.lateral_convs = nn.LayerList([base_conv(width, width, 1) for _ in range(2)])
        self.fpn_blocks = nn.LayerList([CspRepLayer(width, csp_hidden) for _ in range(2)])
        self.downsample_convs = nn.LayerList(
            [base_conv(width, width, 3, stride=2) for _ in range(2)]
        )
        self.pan_blocks = nn.LayerList([CspRepLayer(width, csp_hidden) for _ in range(2)])
        self.mask_feat_head = MaskFeatureHead(width, *mask_channels)
        self.enc_mask_lateral = base_conv(in_channels[0], mask_channels[1], 3)
        self.enc_mask_output = nn.Sequential(
            base_conv(mask_channels[1], mask_channels[1], 3),
            nn.Conv2D(mask_channels[1], num_prototypes, 1),
        )
        self.enlarge = NearestX2()

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Map features at strides 4 to 32 to those at 8, 16 and 32, and to pixels at stride 4.

        The pixels are what the prototypes are a 1x1 convolution of, `enc_mask_output[1]`.
        """
        finest, *coarser = features
        p3, p4, p5 = self._encoded([f(x) for f, x in zip(self.input_proj, coarser, strict=True)])
        lateral5 = self.lateral_convs[0](p5)
        n4 = self.fpn_blocks[0](self.enlarge(lateral5), p4)
        lateral4 = self.lateral_convs[1](n4)
        o3 = self.fpn_blocks[1](self.enlarge(lateral4), p3)
        o4 = self.pan_blocks[0](self.downsample_convs[0](o3), lateral4)
        o5 = self.pan_blocks[1](self.downsample_convs[1](o4), lateral5)
        pixels = self.mask_feat_head(o3, o4, o5) + self.enc_mask_lateral(finest)
        return [o3, o4, o5], self.enc_mask_output[0](pixels)

    def _encoded(self, levels: list[Tensor]) -> list[Tensor]:
        """Let the cells of one level attend to one another."""
        chosen = self.encoded_level
        return [
            self.encoder[0](level) if index == chosen else level
            for index, level in enumerate(levels)
        ]
