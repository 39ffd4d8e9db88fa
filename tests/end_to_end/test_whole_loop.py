"""The README's path through the shell, on a drawn dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segtune.images import read_image
from tests.drawing import draw_coco

pytestmark = pytest.mark.slow

SEGTUNE = str(Path(sys.executable).with_name("segtune"))
SMALL = ["image_size=[64,64]", "epochs=1", "batch_size=2", "data.workers=1"]


class Shell:
    """Runs segtune in one working folder, with nothing of MLflow's from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._variables = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}

    def __call__(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [SEGTUNE, *arguments],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A working folder with a dataset, a finished run, and its registered version."""
    shell = Shell(tmp_path_factory.mktemp("work"))
    draw_coco(shell.folder / "data")
    settings = [part for setting in SMALL for part in ("--set", setting)]
    shell("train", "--recipe", "pp_yoloe_seg_s_scratch", "--data", "data", *settings)
    shell("registry", "register", "pp_yoloe_seg_s_scratch-1", "--name", "pens", "--alias", "best")
    return shell


def test_a_sound_dataset_passes(shell: Shell) -> None:
    report = json.loads(shell("check-dataset", "data", "--json").stdout)

    assert report["verdict"] == "pass"


def test_training_keeps_paddles_noise_off_the_terminal(shell: Shell, tmp_path: Path) -> None:
    done = shell("train", "--recipe", "pp_yoloe_seg_s_scratch", "--data", "nowhere", status=2)

    assert done.stderr.startswith("error: ")
    assert "ccache" not in done.stderr


def test_a_run_is_evaluated(shell: Shell) -> None:
    run = "runs/pp_yoloe_seg_s_scratch-1"

    report = json.loads(shell("eval", run, "--data", "data", "--json").stdout)

    assert 0 <= report["mask"]["ap"] <= 1
    assert [entry["class_name"] for entry in report["per_class"]] == ["disc", "square"]


@pytest.mark.parametrize(
    "model", ["runs/pp_yoloe_seg_s_scratch-1", "models:/pens@best", "pens.yaml"]
)
def test_every_way_to_name_the_model_predicts_the_same(
    shell: Shell, tmp_path: Path, model: str
) -> None:
    if not (shell.folder / "pens.yaml").exists():
        shell("registry", "config", "models:/pens@best", "--save-path", "pens.yaml")

    shell(
        "predict", "--model", model, "data/images", "--threshold", "0", "--save-path", str(tmp_path)
    )

    expected = shell.folder / "expected.json"
    found = json.loads((tmp_path / "coco_results.json").read_text())
    rounded = sorted(
        (row["image_id"], row["category_id"], *(round(side) for side in row["bbox"]))
        for row in sorted(found, key=lambda row: -row["score"])[:5]
    )
    if not expected.exists():
        expected.write_text(json.dumps(rounded))
    assert [list(row) for row in rounded] == json.loads(expected.read_text())
    drawn = next(tmp_path.rglob("*_overlay.*"))
    assert read_image(drawn).ndim == 3


def test_a_checkpoint_is_exported_and_never_over_an_existing_folder(shell: Shell) -> None:
    arguments = ("export", "runs/pp_yoloe_seg_s_scratch-1", "bundle", "--images", "data/images")

    assert "worst box difference" in shell(*arguments).stdout
    assert "exists already" in shell(*arguments, status=2).stderr


def test_the_registry_lists_what_was_registered(shell: Shell) -> None:
    [model] = json.loads(shell("registry", "list", "--json").stdout)

    assert model["name"] == "pens"
    assert model["versions"][0]["aliases"] == ["best"]
    assert model["versions"][0]["model_name"] == "PP-YOLOE_seg-S"


def test_one_picture_that_is_none_is_skipped_and_said(shell: Shell, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    good = next((shell.folder / "data" / "images").glob("*.*"))
    (photos / good.name).write_bytes(good.read_bytes())
    (photos / "broken.jpg").write_bytes(b"not a picture")

    done = shell(
        "predict", "--model", "models:/pens@best", str(photos),
        "--save-path", str(tmp_path / "found"), status=1,
    )  # fmt: skip

    assert "broken.jpg" in done.stderr
    assert (tmp_path / "found" / "coco_results.json").exists()


def test_a_pipeline_configs_settings_hold_unless_an_option_says_otherwise(
    shell: Shell, tmp_path: Path
) -> None:
    config = tmp_path / "strict.yaml"
    shell("registry", "config", "models:/pens@best", "--save-path", str(config))
    config.write_text(config.read_text().replace("threshold: 0.5", "threshold: 1.0"))
    arguments = ("predict", "--model", str(config), "data/images", "--format", "coco")

    strict = shell(*arguments, "--save-path", str(tmp_path / "strict"), "--json")
    loose = shell(*arguments, "--save-path", str(tmp_path / "loose"), "--json", "--threshold", "0")

    assert json.loads(strict.stdout)["num_instances"] == 0
    assert json.loads(loose.stdout)["num_instances"] > 0
