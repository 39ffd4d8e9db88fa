"""The nine Mask R-CNN and Cascade Mask R-CNN networks, from PaddleDetection's configurations.

Every builder takes the number of classes, and whether regions are sampled at the centres of
cells (`aligned`), as the published weights were trained.
"""

from __future__ import annotations

from paddle import nn

from segtune.models.mask_rcnn.box_head import BoxHead
from segtune.models.mask_rcnn.cascade_head import CascadeHead
from segtune.models.mask_rcnn.fpn import CHANNELS, FeaturePyramid
from segtune.models.mask_rcnn.mask_head import MaskHead
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.proposals import ProposalCounts
from segtune.models.mask_rcnn.roi_align import RoiAlign
from segtune.models.mask_rcnn.roi_features import StageFive, TwoLinearLayers
from segtune.models.mask_rcnn.rpn import RpnHead
from segtune.models.resnet import ResNet

ANCHOR_SIDES = (32, 64, 128, 256, 512)
PYRAMID_STRIDES = (4, 8, 16, 32, 64)
ROI_STRIDES = PYRAMID_STRIDES[:-1]  # the last level serves proposals only
STAGE_CHANNELS = (256, 512, 1024, 2048)
MASK_POOLED = 14
C4_CHANNELS, C4_STRIDE = 1024, 16


def mask_rcnn_resnet50(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet50, which has no pyramid, with random weights."""
    stage_five = StageFive(C4_CHANNELS, C4_STRIDE, aligned=aligned)
    return MaskRcnn(
        ResNet(50, "b", stages=(4,)),
        nn.Identity(),
        RpnHead(C4_CHANNELS, [ANCHOR_SIDES], [C4_STRIDE]),
        BoxHead(stage_five, num_classes),
        MaskHead(stage_five.out_width, 0, num_classes),
        stage_five.features,
        counts_in_training=ProposalCounts(12000, 2000),
        counts_in_prediction=ProposalCounts(6000, 1000),
        size_divisor=1,
    )


def mask_rcnn_resnet50_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet50-FPN with random weights."""
    return _with_pyramid(ResNet(50, "b"), num_classes, aligned=aligned)


def mask_rcnn_resnet50_vd_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet50-vd-FPN with random weights."""
    return _with_pyramid(ResNet(50, "d"), num_classes, aligned=aligned)


def mask_rcnn_resnet50_vd_ssldv2_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet50-vd-SSLDv2-FPN, the same network trained from other weights."""
    return _with_pyramid(ResNet(50, "d"), num_classes, aligned=aligned)


def mask_rcnn_resnet101_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet101-FPN with random weights."""
    return _with_pyramid(ResNet(101, "b"), num_classes, aligned=aligned)


def mask_rcnn_resnet101_vd_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNet101-vd-FPN with random weights."""
    return _with_pyramid(ResNet(101, "d"), num_classes, aligned=aligned)


def mask_rcnn_resnext101_vd_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return MaskRCNN-ResNeXt101-vd-FPN, 64 groups of 4 channels, with random weights."""
    backbone = ResNet(101, "d", groups=64, base_width=4)
    return _with_pyramid(backbone, num_classes, aligned=aligned)


def cascade_mask_rcnn_resnet50_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return Cascade-MaskRCNN-ResNet50-FPN with random weights."""
    return _cascade(ResNet(50, "b"), num_classes, aligned=aligned)


def cascade_mask_rcnn_resnet50_vd_ssldv2_fpn(num_classes: int, *, aligned: bool = True) -> MaskRcnn:
    """Return Cascade-MaskRCNN-ResNet50-vd-SSLDv2-FPN with random weights."""
    return _cascade(ResNet(50, "d"), num_classes, aligned=aligned)


def _with_pyramid(backbone: ResNet, num_classes: int, *, aligned: bool) -> MaskRcnn:
    box_head = BoxHead(TwoLinearLayers(CHANNELS, ROI_STRIDES, aligned=aligned), num_classes)
    return _pyramid_network(backbone, box_head, 1000, aligned=aligned)


def _cascade(backbone: ResNet, num_classes: int, *, aligned: bool) -> MaskRcnn:
    box_head = CascadeHead(
        lambda: TwoLinearLayers(CHANNELS, ROI_STRIDES, aligned=aligned), num_classes
    )
    return _pyramid_network(backbone, box_head, 2000, aligned=aligned)


def _pyramid_network(
    backbone: ResNet, box_head: BoxHead | CascadeHead, proposals_in_training: int, *, aligned: bool
) -> MaskRcnn:
    return MaskRcnn(
        backbone,
        FeaturePyramid(STAGE_CHANNELS),
        RpnHead(CHANNELS, [[side] for side in ANCHOR_SIDES], PYRAMID_STRIDES),
        box_head,
        MaskHead(CHANNELS, 4, box_head.num_classes),
        RoiAlign(MASK_POOLED, ROI_STRIDES, aligned=aligned),
        counts_in_training=ProposalCounts(2000, proposals_in_training),
        counts_in_prediction=ProposalCounts(1000, 1000),
        size_divisor=32,
    )
