from pathlib import Path

import pytest
import yaml

from segtune.bundle import FILES, BundleInfo, write_info
from segtune.categories import Categories
from segtune.errors import BundleError, OutputError, RecipeError
from segtune.pipeline_config import (
    PipelineConfig,
    PipelineSchema,
    is_pipeline_config,
    read_pipeline_config,
    settings_of,
    write_pipeline_config,
)
from segtune.preprocess import PreprocessSpec

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


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder whose graphs are empty shells."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("{}")
    info = BundleInfo(
        "PP-YOLOE_seg-S", Categories([(1, "pen")]), PreprocessSpec(), draw_threshold=0.4
    )
    write_info(folder, info)
    return folder


@pytest.mark.parametrize("schema", ["paddlex3", "paddlex3beta"])
def test_what_is_written_is_read(bundle: Path, tmp_path: Path, schema: PipelineSchema) -> None:
    write_pipeline_config(tmp_path / "pens.yaml", bundle, schema=schema)

    assert read_pipeline_config(tmp_path / "pens.yaml").model == str(bundle.resolve())


def test_the_pipeline_config_points_at_the_bundle(bundle: Path, tmp_path: Path) -> None:
    write_pipeline_config(tmp_path / "pipeline.yaml", bundle)

    assert yaml.safe_load((tmp_path / "pipeline.yaml").read_text()) == {
        "pipeline_name": "instance_segmentation",
        "SubModules": {
            "InstanceSegmentation": {
                "module_name": "instance_segmentation",
                "model_name": "PP-YOLOE_seg-S",
                "model_dir": str(bundle.resolve()),
                "batch_size": 1,
                "threshold": 0.4,
            }
        },
    }


def test_the_pipeline_config_of_the_beta(bundle: Path, tmp_path: Path) -> None:
    write_pipeline_config(tmp_path / "pipeline.yaml", bundle, schema="paddlex3beta")

    assert yaml.safe_load((tmp_path / "pipeline.yaml").read_text()) == {
        "Global": {"pipeline_name": "instance_segmentation"},
        "Pipeline": {"model": str(bundle.resolve()), "batch_size": 1},
    }


def test_no_config_is_written_for_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        write_pipeline_config(tmp_path / "pipeline.yaml", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_config_that_cannot_be_written_is_an_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError):
        write_pipeline_config(tmp_path / "file" / "pipeline.yaml", bundle)


def test_any_other_model_reference_is_its_own_config(tmp_path: Path) -> None:
    assert settings_of("models:/pens@best") == PipelineConfig("models:/pens@best")
    assert not is_pipeline_config(str(tmp_path))
