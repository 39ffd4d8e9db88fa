"""The PP-YOLOE_seg networks that can be built."""

from __future__ import annotations

from segtune.models.cspresnet import CspResNet
from segtune.models.ppyoloe_seg.csp_pan import CspPan
from segtune.models.ppyoloe_seg.head import YoloHead
from segtune.models.ppyoloe_seg.model import PpYoloeSeg


def pp_yoloe_seg_s(num_classes: int) -> PpYoloeSeg:
    """Return PP-YOLOE_seg-S with random weights: a third of the depth, half of the width."""
    return PpYoloeSeg(
        CspResNet(stem_channels=32, stage_channels=[64, 128, 256, 512], stage_blocks=[1, 2, 2, 1]),
        CspPan(in_channels=[512, 256, 128], out_channels=[384, 192, 96], num_blocks=1),
        YoloHead(in_channels=[384, 192, 96], strides=[32, 16, 8], num_classes=num_classes),
    )
