"""The fifteen models: what they are called, how they are built, and what was published of them.

AP figures are those of PaddleDetection's model zoo on COCO val2017, in percent.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segtune import processor
from segtune.errors import RecipeError
from segtune.outputs import MaskFrame
from segtune.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from segtune.models.segmenter import InstanceSegmenter

PADDLEX_WEIGHTS = "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model"
STRETCHED = PreprocessSpec(size_hw=(640, 640))
SHORT_SIDE_800 = PreprocessSpec(
    size_hw=(800, 1333),
    keep_ratio=True,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    pad_stride=32,
)
SHORT_SIDE_800_UNPADDED = PreprocessSpec(
    size_hw=(800, 1333),
    keep_ratio=True,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)


@dataclass(frozen=True)
class ModelSpec:
    """A row of the zoo.

    Attributes:
        name: Upstream's, letter for letter.
        family: Models of one family share their code.
        builder: `module:function` that takes the number of classes.
        preprocess: How images become its input.
        mask_frame: What a row of its mask logits covers.
        mask_stride: Input pixels a cell of its training masks stands for.
        finest_stride: Input pixels a cell of the finest features stands for that objects are
            found in.
        max_instances: How many results an image has at most.
        size_divisor: The sides of `preprocess.size_hw` are multiples of this.
        weights_url: COCO weights that fine-tuning starts from, as PaddleX does.
        mask_ap: Published, in percent.
        box_ap: Published, in percent.
        size_mb: Of the weights with 80 classes in float32, in 1e6 bytes.
        recipe: File under `recipes/` with its fine-tuning defaults.
        licence: Of code and weights, an SPDX name.
    """

    name: str
    family: str
    builder: str
    preprocess: PreprocessSpec
    mask_frame: MaskFrame
    mask_stride: int
    finest_stride: int
    max_instances: int
    size_divisor: int
    weights_url: str
    mask_ap: float
    box_ap: float
    size_mb: float
    recipe: str
    licence: str = "Apache-2.0"


def find_spec(name: str) -> ModelSpec:
    """Return the row of a model.

    Raises:
        RecipeError: No model has this name; the nearest names are given.
    """
    by_name = {spec.name.lower(): spec for spec in MODELS}
    spec = by_name.get(name.lower())
    if spec is not None and spec.name == name:
        return spec
    near = difflib.get_close_matches(name.lower(), by_name, n=3)
    raise RecipeError(
        f"there is no model {name!r}",
        where="model",
        remedy=(
            f"did you mean {' or '.join(by_name[match].name for match in near)}?"
            if near
            else "`segtune models` lists the models"
        ),
    )


def build_model(name: str, num_classes: int = 80) -> InstanceSegmenter:
    """Return the network of a model with random weights.

    Raises:
        RecipeError: No model has this name.
    """
    module, function = find_spec(name).builder.split(":")
    processor.import_paddle_quietly()
    network: InstanceSegmenter = getattr(importlib.import_module(module), function)(num_classes)
    return network


def _weights_url(name: str) -> str:
    return f"{PADDLEX_WEIGHTS}/{name}_pretrained.pdparams"


def _identifier(name: str) -> str:
    """Return a model's name as functions and files have it: mask_rcnn_resnet50_fpn."""
    return name.replace("MaskRCNN", "Mask-RCNN").replace("-", "_").lower()


def _rcnn(
    name: str,
    *,
    mask_ap: float,
    box_ap: float,
    size_mb: float,
    preprocess: PreprocessSpec = SHORT_SIDE_800,
    finest_stride: int = 4,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="Mask R-CNN",
        builder=f"segtune.models.mask_rcnn.variants:{_identifier(name)}",
        preprocess=preprocess,
        mask_frame=MaskFrame.BOX,
        mask_stride=1,
        finest_stride=finest_stride,
        max_instances=100,
        size_divisor=1,  # padding takes care of the rest
        weights_url=_weights_url(name),
        mask_ap=mask_ap,
        box_ap=box_ap,
        size_mb=size_mb,
        recipe=f"{_identifier(name)}.yaml",
    )


def _mask_rt_detr(name: str, *, mask_ap: float, box_ap: float, size_mb: float) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="Mask-RT-DETR",
        builder=f"segtune.models.mask_rt_detr.variants:{_identifier(name)}",
        preprocess=STRETCHED,
        mask_frame=MaskFrame.INPUT_UNCUT,
        mask_stride=1,
        finest_stride=8,
        max_instances=100,
        size_divisor=32,
        weights_url=_weights_url(name),
        mask_ap=mask_ap,
        box_ap=box_ap,
        size_mb=size_mb,
        recipe=f"{_identifier(name)}.yaml",
    )


MODELS: tuple[ModelSpec, ...] = (
    _mask_rt_detr("Mask-RT-DETR-S", mask_ap=41.0, box_ap=46.1, size_mb=58.7),
    _mask_rt_detr("Mask-RT-DETR-M", mask_ap=42.7, box_ap=47.6, size_mb=75.3),
    _mask_rt_detr("Mask-RT-DETR-L", mask_ap=45.7, box_ap=51.2, size_mb=131.6),
    _mask_rt_detr("Mask-RT-DETR-X", mask_ap=47.5, box_ap=53.1, size_mb=275.1),
    _mask_rt_detr("Mask-RT-DETR-H", mask_ap=50.6, box_ap=57.4, size_mb=520.1),
    ModelSpec(
        name="PP-YOLOE_seg-S",
        family="PP-YOLOE_seg",
        builder="segtune.models.ppyoloe_seg.variants:pp_yoloe_seg_s",
        preprocess=STRETCHED,
        mask_frame=MaskFrame.INPUT,
        mask_stride=4,
        finest_stride=8,
        max_instances=300,
        size_divisor=32,
        weights_url=_weights_url("PP-YOLOE_seg-S"),
        mask_ap=32.5,
        box_ap=42.3,
        size_mb=36.1,
        recipe="pp_yoloe_seg_s.yaml",
    ),
    _rcnn(
        "MaskRCNN-ResNet50",
        mask_ap=32.8,
        box_ap=37.4,
        size_mb=144.1,
        preprocess=SHORT_SIDE_800_UNPADDED,
        finest_stride=16,
    ),
    _rcnn("MaskRCNN-ResNet50-FPN", mask_ap=35.6, box_ap=39.2, size_mb=177.8),
    _rcnn("MaskRCNN-ResNet50-vd-FPN", mask_ap=36.4, box_ap=40.3, size_mb=177.9),
    _rcnn("MaskRCNN-ResNet50-vd-SSLDv2-FPN", mask_ap=38.9, box_ap=42.7, size_mb=177.9),
    _rcnn("MaskRCNN-ResNet101-FPN", mask_ap=36.6, box_ap=40.6, size_mb=254.0),
    _rcnn("MaskRCNN-ResNet101-vd-FPN", mask_ap=38.1, box_ap=42.4, size_mb=254.1),
    _rcnn("MaskRCNN-ResNeXt101-vd-FPN", mask_ap=39.5, box_ap=44.0, size_mb=410.1),
    _rcnn("Cascade-MaskRCNN-ResNet50-FPN", mask_ap=36.3, box_ap=41.8, size_mb=288.4),
    _rcnn("Cascade-MaskRCNN-ResNet50-vd-SSLDv2-FPN", mask_ap=39.7, box_ap=45.7, size_mb=288.4),
)
