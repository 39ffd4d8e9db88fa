"""What tests show each model to do; the README's table and its test read it here."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Shown(Enum):
    """How it is known that a model does something; the values stand in the README."""

    CI = "yes"  # by a test that every change has to pass
    HEAVY = "heavy"  # by a test with the marker `heavy`, which is run by hand
    NOT_YET = "-"


class Abilities(NamedTuple):
    """How it is known that a model does what segtune does with models."""

    train: Shown  # its losses are the reference's
    evaluate: Shown  # its detections are the reference's
    export: Shown  # its bundle finds what it finds
    paddlex: Shown  # PaddleX finds with the bundle what segtune finds
    onnx: Shown  # its ONNX graph finds what it finds


CI, HEAVY, NOT_YET = Shown

ABILITIES: dict[str, Abilities] = {
    "Mask-RT-DETR-S": Abilities(CI, CI, CI, CI, CI),
    "Mask-RT-DETR-M": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "Mask-RT-DETR-L": Abilities(CI, CI, CI, CI, HEAVY),
    "Mask-RT-DETR-X": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "Mask-RT-DETR-H": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "PP-YOLOE_seg-S": Abilities(CI, CI, CI, CI, CI),
    "MaskRCNN-ResNet50": Abilities(HEAVY, CI, CI, CI, CI),
    "MaskRCNN-ResNet50-FPN": Abilities(CI, CI, CI, CI, CI),
    "MaskRCNN-ResNet50-vd-FPN": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "MaskRCNN-ResNet50-vd-SSLDv2-FPN": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "MaskRCNN-ResNet101-FPN": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "MaskRCNN-ResNet101-vd-FPN": Abilities(CI, CI, HEAVY, HEAVY, HEAVY),
    "MaskRCNN-ResNeXt101-vd-FPN": Abilities(CI, CI, HEAVY, NOT_YET, HEAVY),
    "Cascade-MaskRCNN-ResNet50-FPN": Abilities(CI, CI, CI, CI, CI),
    "Cascade-MaskRCNN-ResNet50-vd-SSLDv2-FPN": Abilities(CI, CI, HEAVY, NOT_YET, HEAVY),
}
