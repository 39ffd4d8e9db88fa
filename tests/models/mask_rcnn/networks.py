"""Networks of the three families: as they are, and with as little to compute as may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import paddle
from paddle import Tensor, nn

from segtune.models.mask_rcnn import variants
from segtune.models.mask_rcnn.box_head import BoxHead
from segtune.models.mask_rcnn.cascade_head import CascadeHead
from segtune.models.mask_rcnn.fpn import CHANNELS, FeaturePyramid
from segtune.models.mask_rcnn.mask_head import MaskHead
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.proposals import ProposalCounts
from segtune.models.mask_rcnn.roi_align import RoiAlign
from segtune.models.mask_rcnn.roi_features import StageFive
from segtune.models.mask_rcnn.rpn import RpnHead
from segtune.models.resnet import ResStage
from tests.models.labelled import randomise

Family = Literal["C4", "FPN", "Cascade"]
FAMILIES: tuple[Family, ...] = ("C4", "FPN", "Cascade")
NUM_CLASSES = 3
_BUILDERS = {
    "C4": variants.mask_rcnn_resnet50,
    "FPN": variants.mask_rcnn_resnet50_fpn,
    "Cascade": variants.cascade_mask_rcnn_resnet50_fpn,
}
_STRIDES = variants.PYRAMID_STRIDES
_WIDTH = 8  # channels of the small backbone
_SIDES = (8, 16, 32, 64, 128)  # of anchors, in pixels


def real_network(family: Family) -> MaskRcnn:
    """Return a network of the family as it is, with random weights."""
    return _prepared(_BUILDERS[family](NUM_CLASSES))


def small_network(family: Family) -> MaskRcnn:
    """Return a network of the family with little to compute, with random weights."""
    if family == "C4":
        stage_five = StageFive(_WIDTH, 16)
        stage_five.res5 = ResStage(5, _WIDTH, 1, "b", base_width=1)
        network = MaskRcnn(
            _Cells([3]),
            nn.Identity(),
            RpnHead(_WIDTH, [_SIDES[2:4]], [16]),
            BoxHead(stage_five, NUM_CLASSES),
            MaskHead(stage_five.out_width, 0, NUM_CLASSES),
            stage_five.features,
            counts_in_training=ProposalCounts(1, 1),
            counts_in_prediction=ProposalCounts(1, 1),
            size_divisor=1,
        )
        return _prepared(network)
    network = MaskRcnn(
        _Cells([1, 2, 3, 4]),
        FeaturePyramid([_WIDTH] * 4),
        RpnHead(CHANNELS, [[side] for side in _SIDES], _STRIDES),
        CascadeHead(_Means, NUM_CLASSES) if family == "Cascade" else BoxHead(_Means(), NUM_CLASSES),
        MaskHead(CHANNELS, 1, NUM_CLASSES),
        RoiAlign(14, _STRIDES[:-1]),
        counts_in_training=ProposalCounts(1, 1),
        counts_in_prediction=ProposalCounts(1, 1),
        size_divisor=32,
    )
    return _prepared(network)


def score_layers(network: MaskRcnn) -> list[nn.Linear]:
    """Return the layers whose last output is background."""
    return [
        layer for name, layer in network.bbox_head.named_children() if name.startswith("bbox_score")
    ]


def _prepared(network: MaskRcnn) -> MaskRcnn:
    """Return the network with few proposals, and boxes that do not move far."""
    randomise(network, seed=0)
    for name, layer in network.bbox_head.named_children():
        if name.startswith("bbox_"):
            layer.weight.set_value(layer.weight * 0.01)
    network.counts_in_training = network.counts_in_prediction = ProposalCounts(50, 4)
    network.bbox_head.samples_per_image = 4
    return network


class _Means(nn.Layer):
    """Vectors that are the means of pooled features."""

    out_width = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self._pool = RoiAlign(2, _STRIDES[:-1])

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return vectors (R, 256)."""
        return self._pool(levels, boxes, counts).mean(axis=[2, 3])


class _Cells(nn.Layer):
    """Features of which every cell sees its own pixels, at strides 4 and on; some are returned."""

    def __init__(self, returned: list[int]) -> None:
        super().__init__()
        self._returned = returned
        self.convs = nn.LayerList(
            [
                nn.Conv2D(3 if number == 0 else _WIDTH, _WIDTH, stride, stride=stride)
                for number, stride in enumerate((4, 2, 2, 2)[: max(returned)])
            ]
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, h, w) to features (N, 8, h / stride, w / stride)."""
        features = []
        x = images
        for number, conv in enumerate(self.convs, 1):
            x = paddle.nn.functional.relu(conv(x))
            if number in self._returned:
                features.append(x)
        return features
