"""Which models each runtime is tested with, and which of them every change has to pass."""

from __future__ import annotations

import pytest

from segtune.zoo import MODELS

IN_CI = {
    "Mask-RT-DETR-S",
    "PP-YOLOE_seg-S",
    "MaskRCNN-ResNet50",
    "MaskRCNN-ResNet50-FPN",
    "Cascade-MaskRCNN-ResNet50-FPN",
}
NAMES = [
    spec.name if spec.name in IN_CI else pytest.param(spec.name, marks=pytest.mark.heavy)
    for spec in MODELS
]
