"""The five Mask-RT-DETR networks, from the configurations of PaddleDetection."""

from __future__ import annotations

from segtune.models.hgnetv2 import HgNetV2, StageShape
from segtune.models.mask_rt_detr.hybrid_encoder import HybridEncoder
from segtune.models.mask_rt_detr.model import MaskRtDetr
from segtune.models.mask_rt_detr.transformer import QueryTransformer

STRIDE_16, STRIDE_32 = 1, 2  # levels that the encoder can work on


def mask_rt_detr_s(num_classes: int) -> MaskRtDetr:
    """Return Mask-RT-DETR-S with random weights."""
    return MaskRtDetr(
        HgNetV2((24, 32), _stages([32, 48, 96, 192], [64, 256, 512, 1024], [1, 1, 2, 1], 3)),
        HybridEncoder(
            in_channels=[64, 256, 512, 1024],
            width=256,
            encoded_level=STRIDE_16,
            num_layers=1,
            encoder_hidden=1024,
            csp_hidden=128,
            mask_channels=(64, 32),
            num_prototypes=128,
        ),
        QueryTransformer(256, num_classes, num_prototypes=128),
    )


def mask_rt_detr_m(num_classes: int) -> MaskRtDetr:
    """Return Mask-RT-DETR-M with random weights."""
    return MaskRtDetr(
        HgNetV2((24, 32), _stages([32, 64, 128, 256], [96, 384, 768, 1536], [1, 1, 3, 1], 4)),
        HybridEncoder(
            in_channels=[96, 384, 768, 1536],
            width=256,
            encoded_level=STRIDE_16,
            num_layers=1,
            encoder_hidden=1024,
            csp_hidden=128,
            mask_channels=(64, 64),
            num_prototypes=128,
        ),
        QueryTransformer(256, num_classes, num_prototypes=128),
    )


def mask_rt_detr_l(num_classes: int) -> MaskRtDetr:
    """Return Mask-RT-DETR-L with random weights."""
    return MaskRtDetr(
        HgNetV2((32, 48), _stages([48, 96, 192, 384], [128, 512, 1024, 2048], [1, 1, 3, 1], 6)),
        HybridEncoder(
            in_channels=[128, 512, 1024, 2048],
            width=256,
            encoded_level=STRIDE_32,
            num_layers=1,
            encoder_hidden=1024,
            csp_hidden=256,
            mask_channels=(64, 64),
            num_prototypes=32,
        ),
        QueryTransformer(256, num_classes, num_prototypes=32),
    )


def mask_rt_detr_x(num_classes: int) -> MaskRtDetr:
    """Return Mask-RT-DETR-X with random weights."""
    return MaskRtDetr(
        HgNetV2((32, 64), _stages([64, 128, 256, 512], [128, 512, 1024, 2048], [1, 2, 5, 2], 6)),
        HybridEncoder(
            in_channels=[128, 512, 1024, 2048],
            width=384,
            encoded_level=STRIDE_32,
            num_layers=1,
            encoder_hidden=2048,
            csp_hidden=384,
            mask_channels=(128, 128),
            num_prototypes=128,
        ),
        QueryTransformer(384, num_classes, num_prototypes=128),
    )


def mask_rt_detr_h(num_classes: int) -> MaskRtDetr:
    """Return Mask-RT-DETR-H with random weights."""
    return MaskRtDetr(
        HgNetV2((48, 96), _stages([96, 192, 384, 768], [192, 512, 1024, 2048], [2, 3, 6, 3], 6)),
        HybridEncoder(
            in_channels=[192, 512, 1024, 2048],
            width=512,
            encoded_level=STRIDE_32,
            num_layers=2,
            encoder_hidden=2048,
            csp_hidden=512,
            mask_channels=(256, 128),
            num_prototypes=128,
        ),
        QueryTransformer(512, num_classes, num_prototypes=128),
    )


def _stages(
    middle: list[int], out: list[int], num_blocks: list[int], num_layers: int
) -> list[StageShape]:
    """Return the four stages: the first keeps the resolution, the last two have light layers."""
    return [
        StageShape(
            middle[stage],
            out[stage],
            num_blocks[stage],
            num_layers,
            light=stage >= 2,
            downsample=stage >= 1,
        )
        for stage in range(4)
    ]
