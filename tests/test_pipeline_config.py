from pathlib import Path

import pytest
import yaml

from segtune.bundle import FILES, BundleInfo, write_info
from segtune.categories import Categories
from segtune.errors import BundleError, OutputError, RecipeError
from segtune.pipeline_config import (
    PipelineConfig,
    PipelineSchema,
    config_from_mapping,
    find_pipeline,
    is_pipeline_config,
    pipeline_yaml,
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
            PADDLEX_3_BETA,
            PipelineConfig("/models/pens", 1, None, "cpu", ("Global.input",)),
            id="PaddleX 3 beta",
        ),
    ],
)
def test_both_generations_are_read(tmp_path: Path, text: str, config: PipelineConfig) -> None:
    (tmp_path / "pens.yaml").write_text(text)

    assert read_pipeline_config(tmp_path / "pens.yaml") == config


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        pytest.param("", "holds no keys", None, id="empty"),
        pytest.param("a: [1", "is not YAML", 1, id="not YAML"),
        pytest.param("pipeline_name: ocr", "another pipeline, 'ocr'", 1, id="another pipeline"),
        pytest.param("Pipeline: {batch_size: 1}", "Pipeline.model is missing", 1, id="no model"),
        pytest.param(PADDLEX_3.replace("0.25", "high"), "threshold .* not 'high'", 9, id="text"),
        pytest.param(PADDLEX_3.replace("0.25", "2"), "threshold should be from 0 to 1", 9, id="2"),
        pytest.param(PADDLEX_3.replace("size: 2", "size: true"), "whole number, not True", 8),
        pytest.param(PADDLEX_3.replace("size: 2", "size: 0"), "should be at least 1", 8),
        pytest.param(
            PADDLEX_3.replace("batch_size", "batchsize"), "did you mean batch_size", 8, id="typo"
        ),
        pytest.param(
            PADDLEX_3 + "threshold: 1\n",
            r"mean SubModules.InstanceSegmentation.threshold",
            10,
            id="another group",
        ),
        pytest.param(
            "Pipeline: {model: a}\nBackend: 1", "known: Global, Pipeline, Serving", 2, id="unknown"
        ),
        pytest.param(PADDLEX_3 + "device: cpu\ndevice: gpu", "a second time", 11, id="twice"),
        pytest.param("SubModules: 3", "should be a group of keys", 1, id="no group"),
        pytest.param(
            PADDLEX_3.replace("pipeline_name: instance_segmentation", ""), "missing", None
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, text: str, problem: str, line: int | None
) -> None:
    path = tmp_path / "pens.yaml"
    path.write_text(text)

    with pytest.raises(RecipeError, match=problem) as caught:
        read_pipeline_config(path)

    assert caught.value.where == (str(path) if line is None else f"{path}, line {line}")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "pens.yaml").write_text("Pipeline:\n  modell: a\n  batch_size: x\n")

    with pytest.raises(RecipeError, match="2 faults") as caught:
        read_pipeline_config(tmp_path / "pens.yaml")

    assert "line 2: Pipeline.modell" in caught.value.problem
    assert "line 3: Pipeline.batch_size" in caught.value.problem


def test_a_name_without_a_folder_means_the_published_weights(tmp_path: Path) -> None:
    for word in ("null", "None", ""):
        path = tmp_path / "pens.yaml"
        path.write_text(PADDLEX_3.replace("/models/pens", word))

        assert read_pipeline_config(path).model == "PP-YOLOE_seg-S"


def test_keys_of_paddlex_alone_are_taken_and_told(tmp_path: Path) -> None:
    path = tmp_path / "pens.yaml"
    path.write_text(PADDLEX_3 + "    engine: paddle_static\nuse_hpip: false\ndevice: npu:1\n")

    config = read_pipeline_config(path)

    assert config.device == "npu:1"
    assert config.unheeded == ("use_hpip", "SubModules.InstanceSegmentation.engine")


def test_a_pipeline_is_a_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "pens.yml").write_text(PADDLEX_3)

    assert find_pipeline("instance_segmentation") == PipelineConfig("Mask-RT-DETR-S", 1, 0.5)
    assert find_pipeline(str(tmp_path / "pens.yml")).model == "/models/pens"
    with pytest.raises(RecipeError, match="cannot be read"):
        find_pipeline(str(tmp_path / "absent.yaml"))
    with pytest.raises(RecipeError, match="no pipeline 'ocr'"):
        find_pipeline("ocr")


def test_a_config_may_be_a_dict_already() -> None:
    config = config_from_mapping({"Pipeline": {"model": "a", "threshold": 0.1}})

    assert config == PipelineConfig("a", threshold=0.1)
    with pytest.raises(RecipeError, match="did you mean threshold"):
        config_from_mapping({"Pipeline": {"model": "a", "treshold": 0.1}})


@pytest.mark.parametrize("schema", ["paddlex3", "paddlex3beta"])
def test_every_setting_that_is_written_is_read(tmp_path: Path, schema: PipelineSchema) -> None:
    threshold = 0.3 if schema == "paddlex3" else None
    for model, name in (("PP-YOLOE_seg-S", None), ("/no: 1", "PP-YOLOE_seg-S")):
        text = pipeline_yaml(
            model,
            model_name=name,
            schema=schema,
            batch_size=4,
            threshold=threshold,
            device="gpu:0,1",
        )
        (tmp_path / "a.yaml").write_text(text)

        found = read_pipeline_config(tmp_path / "a.yaml")

        assert found == PipelineConfig(model, 4, threshold, "gpu:0,1")


def test_the_beta_form_has_no_threshold() -> None:
    with pytest.raises(RecipeError, match="no threshold"):
        pipeline_yaml("PP-YOLOE_seg-S", schema="paddlex3beta", threshold=0.3)


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
