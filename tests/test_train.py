import csv
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from segtune.bundle import is_bundle
from segtune.errors import (
    CheckpointError,
    DatasetError,
    RecipeError,
    SegtuneError,
    WeightsError,
)
from segtune.progress import SilentReporter, SilentTask, Task
from segtune.recipe import Recipe
from segtune.train import continue_run, fine_tune
from segtune.training.checkpoint import read_info, read_training, read_weights
from segtune.training.run_folder import RunFolder
from tests.drawing import draw_coco

pytestmark = pytest.mark.slow


def _recipe(root: Path, **changes: object) -> Recipe:
    fields = {
        "model": "PP-YOLOE_seg-S",
        "weights": None,
        "data": {"root": root, "workers": 1},
        "image_size": (64, 64),
        "epochs": 2,
        "batch_size": 2,
        "optimizer": {"name": "adamw", "clip_norm": 10.0},
        "tracking": {"enabled": False},
        **changes,
    }
    return Recipe.model_validate(fields)


class StopAfter(SilentReporter):
    """Presses Ctrl-C when so many training steps are done."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        yield self if title == "train" else SilentTask()

    def advance(self, count: int = 1, **fields: str) -> None:
        self._left -= count
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_coco(tmp_path_factory.mktemp("data") / "set", train=6, val=2)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of two epochs of three steps, never disturbed."""
    runs = tmp_path_factory.mktemp("straight") / "runs"
    return RunFolder(fine_tune(_recipe(data), runs=runs, run_name="tiny").run_folder)


def test_a_run_leaves_all_its_files(finished: RunFolder) -> None:
    left = {path.relative_to(finished.path).as_posix() for path in finished.path.rglob("*")}

    assert {
        "recipe.yaml",
        "metrics.csv",
        "curves.png",
        "train.log",
        "train_result.json",
        "checkpoints/best/model.safetensors",
        "checkpoints/step_00000006/training.safetensors",
        "best_model/inference/inference.json",
        "best_model/inference/inference.pdiparams",
        "best_model/inference/inference.yml",
    } <= left
    assert is_bundle(finished.bundle)
    assert not [name for name in left if name.endswith((".part", ".old"))]


def test_metrics_have_a_row_an_epoch_with_losses_rate_and_ap(finished: RunFolder) -> None:
    rows = list(csv.DictReader(finished.metrics.read_text().splitlines()))

    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [row["step"] for row in rows] == ["3", "6"]
    assert all(float(row["loss"]) > 0 and float(row["mask_ap"]) >= 0 for row in rows)


def test_the_result_names_the_best_epoch_and_paddlex_files(finished: RunFolder) -> None:
    result = json.loads(finished.result.read_text())

    assert result["done_flag"] is True
    assert result["best_epoch"] in (1, 2)
    assert (finished.path / result["models"]["best"]["inference_config"]).is_file()


@pytest.mark.parametrize("steps", [1, 3, 4], ids=["mid-epoch", "at an epoch's end", "in epoch 2"])
def test_a_stopped_run_continues_to_the_very_weights_of_an_undisturbed_one(
    data: Path, finished: RunFolder, tmp_path: Path, steps: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fine_tune(_recipe(data), runs=tmp_path, run_name="tiny", reporter=StopAfter(steps))
    stopped = RunFolder(tmp_path / "tiny-1")
    assert read_info(stopped.numbered_checkpoints()[-1]).step == steps

    continue_run(stopped.path)

    for read in (read_training, read_weights):
        mine, theirs = (read(f.numbered_checkpoints()[-1]) for f in (stopped, finished))
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    best, straight = read_weights(stopped.best), read_weights(finished.best)
    assert all((best[name] == straight[name]).all() for name in best)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("Mask-RT-DETR-S", {}),
        ("MaskRCNN-ResNet50-FPN", {"regions_per_image": 16, "image_size": (64, 96)}),
        pytest.param(
            "Cascade-MaskRCNN-ResNet50-FPN",
            {"regions_per_image": 16, "image_size": (64, 96)},
            marks=pytest.mark.heavy,
        ),
    ],
)
def test_a_stopped_run_of_other_models_continues_to_the_very_weights(
    data: Path, tmp_path: Path, model: str, changes: dict[str, object]
) -> None:
    recipe = _recipe(
        data,
        model=model,
        freeze="nothing",
        augment={"sizes": (64, 96), "random_interpolation": True},
        **changes,
    )
    straight = RunFolder(fine_tune(recipe, runs=tmp_path / "straight").run_folder)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(recipe, runs=tmp_path / "runs", run_name="tiny", reporter=StopAfter(4))

    stopped = RunFolder(tmp_path / "runs" / "tiny-1")
    continue_run(stopped.path)

    expected = read_training(straight.numbered_checkpoints()[-1])
    found = read_training(stopped.numbered_checkpoints()[-1])
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_random_weights_are_not_frozen(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(data, model="Mask-RT-DETR-S", freeze="upstream")

    with pytest.raises(RecipeError) as caught:
        fine_tune(recipe, runs=tmp_path / "runs")

    assert "freeze=nothing" in str(caught.value.remedy)
    assert not (tmp_path / "runs").exists()


def test_regions_are_limited_for_models_that_sample_them_only(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="samples no regions") as caught:
        fine_tune(_recipe(data, regions_per_image=16), runs=tmp_path / "runs")

    assert caught.value.where == "regions_per_image"
    assert not (tmp_path / "runs").exists()


def test_a_run_does_not_continue_on_data_that_has_changed(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "set"
    shutil.copytree(data, mine)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(_recipe(mine), runs=tmp_path, run_name="tiny", reporter=StopAfter(1))
    file = mine / "annotations" / "instance_train.json"
    content = json.loads(file.read_text())
    content["annotations"].pop()
    file.write_text(json.dumps(content))

    with pytest.raises(CheckpointError, match="dataset has changed"):
        continue_run(tmp_path / "tiny-1")


def test_a_validation_split_of_crowds_is_refused(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "set"
    shutil.copytree(data, mine)
    file = mine / "annotations" / "instance_val.json"
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 1
    file.write_text(json.dumps(content))

    with pytest.raises(DatasetError, match="nothing but crowd"):
        fine_tune(_recipe(mine), runs=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()


def test_a_finished_run_is_not_continued(finished: RunFolder) -> None:
    with pytest.raises(CheckpointError, match="has ended already"):
        continue_run(finished.path)


def test_a_dataset_with_faults_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "set"
    broken.mkdir()
    (broken / "images").symlink_to(data / "images")
    (broken / "annotations").mkdir()
    for split in ("train", "val"):
        name = f"instance_{split}.json"
        content = json.loads((data / "annotations" / name).read_text())
        content["annotations"][0]["category_id"] = 99
        (broken / "annotations" / name).write_text(json.dumps(content))

    with pytest.raises(DatasetError):
        fine_tune(_recipe(broken), runs=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()


def _with_area_zero(data: Path, place: Path) -> Path:
    """Return a copy of a dataset with one warning in its training split."""
    shutil.copytree(data, place)
    file = place / "annotations" / "instance_train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["area"] = 0
    file.write_text(json.dumps(content))
    return place


def test_warnings_of_the_dataset_are_said_once_a_run_and_kept(data: Path, tmp_path: Path) -> None:
    warned = _with_area_zero(data, tmp_path / "set")
    with pytest.raises(KeyboardInterrupt):
        fine_tune(_recipe(warned, epochs=1), runs=tmp_path, run_name="tiny", reporter=StopAfter(1))
    folder = RunFolder(tmp_path / "tiny-1")
    continue_run(folder.path)

    log = folder.log.read_text()
    assert log.count("(1 x area-not-positive), first: ") == 1
    assert "instance_train.json, annotations[0].area: 0" in log
    kept = json.loads(folder.dataset_check.read_text())
    assert (kept["check"], kept["verdict"]) == ("full", "pass")
    codes = [finding["code"] for finding in kept["findings"]]
    assert codes == ["category-few-instances", "area-not-positive"]
    assert json.loads(folder.result.read_text())["dataset_check"] == "full"


def test_a_skipped_check_is_in_the_record_of_the_run_and_stays_skipped(
    data: Path, tmp_path: Path
) -> None:
    warned = _with_area_zero(data, tmp_path / "set")
    recipe = _recipe(warned, epochs=1, tracking={"enabled": True})

    with pytest.raises(KeyboardInterrupt):
        fine_tune(recipe, runs=tmp_path / "runs", run_name="t", check="skip", reporter=StopAfter(1))
    folder = RunFolder(tmp_path / "runs" / "t-1")
    summary = continue_run(folder.path)

    log = folder.log.read_text()
    assert log.count("the dataset is not checked, as asked") == 2  # begun and continued
    assert "area-not-positive" not in log
    assert json.loads(folder.dataset_check.read_text()) == {"check": "skip"}
    assert json.loads(folder.result.read_text())["dataset_check"] == "skip"
    from mlflow import MlflowClient

    uri = json.loads((folder.path / "tracking.json").read_text())["uri"]
    run = MlflowClient(uri).get_run(str(summary.mlflow_run_id))
    assert run.data.tags["segtune.dataset_check"] == "skip"


def test_an_image_that_only_the_check_opens_is_found_by_it_alone(
    data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "set"
    shutil.copytree(data, broken)
    (broken / "images" / "train_000.png").unlink()

    with pytest.raises(DatasetError, match="the dataset has 1 error"):
        fine_tune(_recipe(broken), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SegtuneError, match=r"cannot read train_000\.png"):
        fine_tune(_recipe(broken), runs=tmp_path / "runs", check="skip")


def test_splits_of_other_classes_are_refused_without_a_check_too(
    data: Path, tmp_path: Path
) -> None:
    other = tmp_path / "set"
    shutil.copytree(data, other)
    file = other / "annotations" / "instance_val.json"
    content = json.loads(file.read_text())
    content["categories"][0]["name"] = "another"
    file.write_text(json.dumps(content))

    with pytest.raises(DatasetError, match="different categories"):
        fine_tune(_recipe(other), runs=tmp_path / "runs", check="skip")

    assert not (tmp_path / "runs").exists()


def test_published_weights_without_a_network_stop_with_the_ways_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTUNE_OFFLINE", "1")
    monkeypatch.setenv("SEGTUNE_CACHE", str(tmp_path / "cache"))

    with pytest.raises(WeightsError, match="--from-scratch"):
        fine_tune(_recipe(data, weights="coco"), runs=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"model": "MaskRCNN-ResNet5"}, RecipeError, id="no such model"),
        pytest.param({"weights": "/nowhere/w.pdparams"}, WeightsError, id="weights not there"),
    ],
)
def test_what_can_be_known_at_once_is_refused_before_the_dataset_is_read(
    tmp_path: Path, changes: dict[str, object], kind: type[SegtuneError]
) -> None:
    with pytest.raises(kind):
        fine_tune(_recipe(tmp_path / "no dataset", **changes), runs=tmp_path / "runs")


def test_from_scratch_goes_before_the_recipes_weights(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(data, weights="coco", epochs=1)

    summary = fine_tune(recipe, runs=tmp_path, from_scratch=True)

    assert "random weights" in RunFolder(summary.run_folder).log.read_text()
    assert summary.run_folder.name == "pp-yoloe_seg-s-1"
