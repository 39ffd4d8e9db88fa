from pathlib import Path

import pytest

from segtune.bundle import PADDLEX_INFO
from segtune.coco_classes import COCO_CATEGORIES
from segtune.errors import BundleError, CheckpointError, RecipeError, WeightsError
from segtune.runtime_names import Runtime
from segtune.sources import open_predictor, pipeline_config_of, published_model, resolve
from segtune.training.checkpoint import INFO_FILE
from segtune.training.run_folder import create_run_folder
from segtune.zoo import build_model


def _checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / INFO_FILE).write_text("{}")
    return folder


def _pipeline(path: Path, model: Path) -> Path:
    path.write_text(f"Pipeline: {{model: {model}}}")
    return path


def test_checkpoints_and_bundles_are_what_they_are(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "checkpoint")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / PADDLEX_INFO).write_text("")

    assert resolve(str(checkpoint)) == checkpoint
    assert resolve(str(bundle)) == bundle


def test_a_run_means_its_best_checkpoint(tmp_path: Path) -> None:
    run = create_run_folder(tmp_path, "pens", "")
    _checkpoint(run.checkpoint(3))
    with pytest.raises(CheckpointError, match="no evaluated checkpoint yet"):
        resolve(str(run.path))

    _checkpoint(run.best)

    assert resolve(str(run.path)) == run.best


def test_a_pipeline_config_means_the_model_that_it_names(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "checkpoint")

    assert resolve(str(_pipeline(tmp_path / "pens.yaml", checkpoint))) == checkpoint


def test_a_pipeline_config_that_names_itself_is_an_error(tmp_path: Path) -> None:
    config = tmp_path / "pens.yaml"

    with pytest.raises(CheckpointError, match="names the file"):
        resolve(str(_pipeline(config, config)))


@pytest.mark.parametrize(("place", "words"), [("", "holds no model"), ("absent", "does not exist")])
def test_what_is_no_model_is_an_error_with_all_that_would_be(
    tmp_path: Path, place: str, words: str
) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        resolve(str(tmp_path / place))

    assert "models:/NAME@ALIAS" in str(caught.value)


def test_a_zoo_name_means_published_weights_unless_a_model_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = published_model("PP-YOLOE_seg-S")
    assert spec is not None
    assert spec.name == "PP-YOLOE_seg-S"
    assert published_model(str(_pipeline(tmp_path / "a.yaml", Path("PP-YOLOE_seg-S")))) is spec
    assert published_model("PP-YOLOE_seg-M") is None

    _checkpoint(tmp_path / "PP-YOLOE_seg-S")

    assert published_model("PP-YOLOE_seg-S") is None


def test_published_weights_that_are_not_here_say_where_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTUNE_OFFLINE", "1")
    monkeypatch.setenv("SEGTUNE_CACHE", str(tmp_path))

    with pytest.raises(WeightsError, match="SEGTUNE_OFFLINE is set") as caught:
        open_predictor("PP-YOLOE_seg-S")

    assert str(tmp_path) in str(caught.value.where)
    assert "or name a model of your own" in str(caught.value.remedy)


def test_published_weights_know_the_classes_of_coco(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import paddle

    network = build_model("PP-YOLOE_seg-S", 80)
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / "PP-YOLOE_seg-S_pretrained.pdparams"
    paddle.save(network.state_dict(), str(file))
    monkeypatch.setenv("SEGTUNE_CACHE", str(tmp_path))

    predictor = open_predictor("PP-YOLOE_seg-S")

    assert predictor.categories == COCO_CATEGORIES
    assert len(COCO_CATEGORIES) == 80
    assert (COCO_CATEGORIES[0].name, COCO_CATEGORIES[79].id) == ("person", 90)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_published_weights_run_on_paddle_only(runtime: Runtime) -> None:
    with pytest.raises(BundleError, match=f"the runtime {runtime} runs bundles only") as caught:
        open_predictor("PP-YOLOE_seg-S", runtime=runtime)

    assert caught.value.where == "the published weights of PP-YOLOE_seg-S"


def test_a_precision_that_the_runtime_does_not_know_is_refused_before_a_model_is_looked_for() -> (
    None
):
    with pytest.raises(RecipeError, match="paddle computes in fp32 only, not in bf16"):
        open_predictor("absent", precision="bf16")


def test_a_config_of_a_zoo_name_needs_no_folder() -> None:
    text, note = pipeline_config_of()

    assert "model_name: Mask-RT-DETR-S\n    model_dir: null" in text
    assert note is None
