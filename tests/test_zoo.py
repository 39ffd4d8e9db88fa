from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from segtune.errors import RecipeError
from segtune.outputs import MaskFrame
from segtune.zoo import MODELS, ModelSpec, build_model, find_spec

ROOT = Path(__file__).parents[1]


def test_there_are_fifteen_models_with_names_of_their_own() -> None:
    assert len({spec.name for spec in MODELS}) == len(MODELS) == 15


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_weights_are_those_that_paddlex_starts_from(spec: ModelSpec) -> None:
    assert spec.weights_url == (
        "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/"
        f"{spec.name}_pretrained.pdparams"
    )
    assert find_spec(spec.name) is spec


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_a_model_has_a_recipe_named_like_its_builder(spec: ModelSpec) -> None:
    assert f"{spec.builder.partition(':')[2]}.yaml" == spec.recipe
    assert (ROOT / "recipes" / spec.recipe).is_file()


def test_r_cnn_masks_live_in_their_box_and_the_others_on_the_input() -> None:
    frames = {
        "Mask R-CNN": MaskFrame.BOX,
        "Mask-RT-DETR": MaskFrame.INPUT_UNCUT,
        "PP-YOLOE_seg": MaskFrame.INPUT,
    }
    for spec in MODELS:
        assert spec.mask_frame is frames[spec.family]


def test_only_the_r_cnn_without_fpn_does_not_pad() -> None:
    scaled = [spec for spec in MODELS if spec.preprocess.keep_ratio]

    assert len(scaled) == 9
    assert [spec.name for spec in scaled if not spec.preprocess.pad_stride] == ["MaskRCNN-ResNet50"]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_row_agrees_with_the_network_it_builds(spec: ModelSpec) -> None:
    network = build_model(spec.name)

    assert network.size_divisor == (spec.preprocess.pad_stride or spec.size_divisor)
    assert network.mask_stride == spec.mask_stride
    assert network.mask_frame is spec.mask_frame
    size_bytes = sum(4 * tensor.size for tensor in network.state_dict().values())
    assert size_bytes / 1e6 == pytest.approx(spec.size_mb, abs=0.05)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        pytest.param("PP-YOLOE-seg-S", "PP-YOLOE_seg-S", id="a wrong character"),
        pytest.param("mask-rt-detr-l", "Mask-RT-DETR-L", id="a wrong case"),
        pytest.param("xyz", "segtune models", id="nothing near"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest_ones(name: str, remedy: str) -> None:
    with pytest.raises(RecipeError) as caught:
        find_spec(name)

    assert remedy in str(caught.value.remedy)


def test_listing_models_does_not_import_paddle() -> None:
    code = "import sys, segtune.zoo; sys.exit('paddle' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_an_image_has_as_many_results_as_the_network_keeps(spec: ModelSpec) -> None:
    module = {
        "Mask R-CNN": "segtune.models.mask_rcnn.detections",
        "Mask-RT-DETR": "segtune.models.mask_rt_detr.model",
        "PP-YOLOE_seg": "segtune.models.ppyoloe_seg.model",
    }[spec.family]

    assert spec.max_instances == importlib.import_module(module).MAX_ROWS_PER_IMAGE


def test_only_r_cnns_with_fpn_look_at_cells_of_four_pixels() -> None:
    strides = {spec.name: spec.finest_stride for spec in MODELS}

    assert strides.pop("MaskRCNN-ResNet50") == 16
    assert {name for name, stride in strides.items() if stride == 4} == {
        spec.name for spec in MODELS if spec.preprocess.pad_stride
    }
    assert set(strides.values()) == {4, 8}
