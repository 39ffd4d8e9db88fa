"""A block that trains with two branches and predicts with one convolution.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.conv_norm import ConvNorm, FusedConv, FusibleLayer


class RepVggBlock(FusibleLayer):
    """A 3x3 and a 1x1 convolution side by side, one 3x3 after fusion.

    See https://arxiv.org/abs/2101.03697. With `weighted`, a learned factor `alpha` scales the
    1x1 branch while it is positive; otherwise the branch counts in full. Upstream computes that,
    because a Paddle tensor is true only above zero, and the stored outputs depend on it.
    """

    def __init__(self, channels: int, *, weighted: bool) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3)
        self.conv2 = ConvNorm(channels, channels, 1)
        self.alpha = (
            self.create_parameter([1], default_initializer=nn.initializer.Constant(1.0))
            if weighted
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to one of the same shape."""
        return F.silu(self.conv1(x) + self._side_factor() * self.conv2(x))

    @paddle.no_grad()
    def fused(self) -> FusedConv:
        """Return one 3x3 convolution and the activation."""
        kernel, bias = self.conv1.folded()
        side_kernel, side_bias = self.conv2.folded()
        factor = self._side_factor()
        kernel = kernel + factor * F.pad(side_kernel, [1, 1, 1, 1])
        return FusedConv(kernel, bias + factor * side_bias, F.silu)

    def _side_factor(self) -> Tensor | float:
        if self.alpha is None:
            return 1.0
        return paddle.where(self.alpha > 0, self.alpha, paddle.ones_like(self.alpha))
