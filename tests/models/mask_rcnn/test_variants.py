from __future__ import annotations

from collections.abc import Callable

import pytest
from paddle import nn

from segtune.models.mask_rcnn import variants
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.roi_align import RoiAlign


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(
    ("builder", "num_pools"),
    [
        pytest.param(variants.mask_rcnn_resnet50, 1, id="boxes and masks share one"),
        pytest.param(variants.mask_rcnn_resnext101_vd_fpn, 2, id="one for each"),
        pytest.param(variants.cascade_mask_rcnn_resnet50_vd_ssldv2_fpn, 4, id="one a stage"),
    ],
)
def test_all_regions_of_a_network_are_sampled_alike(
    builder: Callable[..., MaskRcnn], num_pools: int, aligned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "ResNet", lambda *_, **__: nn.Identity())  # slow to make

    network = builder(1, aligned=aligned)

    pools = [layer for layer in network.sublayers() if isinstance(layer, RoiAlign)]
    assert [pool._aligned for pool in pools] == [aligned] * num_pools
