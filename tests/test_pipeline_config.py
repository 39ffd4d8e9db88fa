from pathlib import Path

import pytest

from segtune.errors import RecipeError
from segtune.pipeline_config import PipelineConfig, read_pipeline_config

PADDLEX_3 = """
pipeline_name: instance_segmentation
SubModules:
  InstanceSegmentation:
    module_name: instance_segmentation
    model_name: PP-YOLOE_seg-S
    model_dir: /models/pens
    batch_size: 2
    threshold: 0.25
"""
PADDLEX_3_BETA = """
Global: {pipeline_name: instance_segmentation, input: demo.jpg}
Pipeline: {model: /models/pens, batch_size: 1, device: "cpu"}
"""


@pytest.mark.parametrize(
    ("text", "config"),
    [
        pytest.param(PADDLEX_3, PipelineConfig("/models/pens", 2, 0.25), id="PaddleX 3"),
        pytest.param(
            PADDLEX_3_BETA, PipelineConfig("/models/pens", 1, None, "cpu"), id="PaddleX 3 beta"
        ),
    ],
)
def test_both_generations_are_read(tmp_path: Path, text: str, config: PipelineConfig) -> None:
    (tmp_path / "pens.yaml").write_text(text)

    assert read_pipeline_config(tmp_path / "pens.yaml") == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "holds no keys", id="empty"),
        pytest.param("a: [1", "cannot be read", id="not YAML"),
        pytest.param("pipeline_name: ocr", "no section SubModules", id="another pipeline"),
        pytest.param("Pipeline: {batch_size: 1}", "no local model in model", id="no model"),
        pytest.param(
            PADDLEX_3.replace("/models/pens", "null"), "no local model in model_dir", id="null"
        ),
        pytest.param(
            PADDLEX_3.replace("0.25", "high"), "threshold .* cannot be 'high'", id="text as number"
        ),
        pytest.param(
            PADDLEX_3.replace("size: 2", "size: true"), "batch_size .* cannot be True", id="boolean"
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "pens.yaml").write_text(text)

    with pytest.raises(RecipeError, match=problem) as caught:
        read_pipeline_config(tmp_path / "pens.yaml")

    assert caught.value.where == str(tmp_path / "pens.yaml")
