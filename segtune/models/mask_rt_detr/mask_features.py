"""The mask branch of the neck: all levels added up at stride 8, then enlarged to stride 4.

Shapes: N images, C width, M and M' channels, h x w feature map at stride 8.
"""

from __future__ import annotations

from paddle import Tensor, nn

from segtune.models.mask_rt_detr.initialised import base_conv
from segtune.models.upsample import BilinearX2


class MaskFeatureHead(nn.Layer):
    """Bring all levels to stride 8 and add them up, then enlarge the sum.

    Args:
        width: C.
        middle: M.
        out: M'.
    """

    def __init__(self, width: int, middle: int, out: int) -> None:
        super().__init__()
        # Each convolution in a list of its own: published weights have the index in their names.
        self.scale_heads = nn.LayerList(
            [
                nn.Sequential(_alone(width, middle)),
                nn.Sequential(_alone(width, middle), BilinearX2()),
                nn.Sequential(
                    _alone(width, middle), BilinearX2(), _alone(middle, middle), BilinearX2()
                ),
            ]
        )
        self.output_conv = base_conv(middle, out, 3)
        self.enlarge = BilinearX2()

    def forward(self, o3: Tensor, o4: Tensor, o5: Tensor) -> Tensor:
        """Map features (N, C, ...) at strides 8, 16 and 32 to (N, M', 2h, 2w)."""
        by_8, by_16, by_32 = self.scale_heads
        return self.enlarge(self.output_conv(by_8(o3) + by_16(o4) + by_32(o5)))


def _alone(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(base_conv(in_channels, out_channels, 3))
