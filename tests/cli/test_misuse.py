"""Ways to misuse the commands: each a clear message, status 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from segtune.cli.app import app


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a few wrong files; relative paths start there."""
    (tmp_path / "folder").mkdir()
    files = {
        "unknown_key.yaml": "model: PP-YOLOE_seg-S\nepoch: 3\n",
        "text_for_number.yaml": "model: PP-YOLOE_seg-S\nepochs: three\n",
        "half.yaml": "model: PP-YOLOE_seg-S\noptimizer: {lr: 1\n",
        "no_data.yaml": "model: PP-YOLOE_seg-S\nweights: null\n",
        "config_typo.yaml": "Pipeline:\n  model: folder\n  batchsize: 2\n",
        "there.yaml": "",
        "picture.png": "this is text",
        "there.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train", "no recipe is named"),
        ("train -r nothing.yaml", "there is no recipe 'nothing.yaml'"),
        ("train -r pp_yoloe_seg", "did you mean pp_yoloe_seg_s?"),
        ("train -r folder", "is a folder, not a recipe"),
        ("train -r unknown_key.yaml", "did you mean epochs?"),
        ("train -r text_for_number.yaml", "a whole number, not the text 'three'"),
        ("train -r half.yaml", "is not YAML"),
        ("train -r pp_yoloe_seg_s --set lr=3", "did you mean optimizer.lr?"),
        ("train -r pp_yoloe_seg_s --set seed", "is not key=value"),
        ("train -r pp_yoloe_seg_s --device tpu", "'tpu' is not a device"),
        ("train -r pp_yoloe_seg_s --device cpu:0", "the CPU takes no number"),
        ("train -r pp_yoloe_seg_s --threads 0", "Invalid value for '--threads'"),
        ("train -r no_data.yaml", "where the dataset lies"),
        ("train -r no_data.yaml --data nowhere", "no such dataset folder"),
        ("train -r no_data.yaml --data folder", "3 of 3 parts of the dataset are missing"),
        ("train --resume nowhere", "is not a run folder"),
        ("train --resume folder --set seed=3", "a run continues as it began"),
        ("check-dataset", "not named, or named twice"),
        ("check-dataset folder --train a.json", "not named, or named twice"),
        ("check-dataset nowhere", "no such dataset folder"),
        ("check-dataset nowhere --report there.json", "exists already and is not a report"),
        ("train --resume folder --check skip", "a run continues as it began"),
        ("eval folder", "not named, or named twice"),
        ("eval folder --data nowhere", "no such dataset folder"),
        ("eval folder --annotations there.json --images folder", "there.json"),
        ("eval folder --data nowhere --output there.json", "exists already"),
        ("export folder there.json --images nowhere", "nothing found at nowhere"),
        ("predict nowhere.png -m folder", "nothing found at nowhere.png"),
        ("predict folder -m folder", "no pictures in folder"),
        ("predict picture.png -m folder", "holds no model"),
        ("predict picture.png -m models:/a/b/c", "does not name a registered version"),
        ("predict picture.png -m folder --format xml", "'xml' is not a format"),
        ("predict picture.png -m folder --runtime tensorrt", "'tensorrt' is not a runtime"),
        ("predict picture.png -m folder --precision fp8", "'fp8' is not a precision"),
        ("predict picture.png -m folder --precision bf16", "computes in fp32 only, not in bf16"),
        ("eval folder --data nowhere --runtime tensorrt", "'tensorrt' is not a runtime"),
        ("predict picture.png -m folder --threshold 2", "Invalid value for '--threshold'"),
        ("predict picture.png -m folder --save-path there.json", "is a file, not a folder"),
        ("predict picture.png", "no model is named"),
        ("predict -m folder", "there is nothing to predict"),
        ("predict picture.png -p nothing.yaml", "nothing.yaml"),
        ("predict picture.png -p instance_segmentatio", "did you mean instance_segmentation?"),
        ("predict picture.png -p config_typo.yaml", "line 3"),
        ("predict picture.png -m folder --device cuda:0", "did you mean gpu:0?"),
        ("predict picture.png -m folder --device gpu:0,0", "names a device twice"),
        ("predict file:///etc/hosts -m folder", "http and https addresses only"),
        ("predict picture.png -m folder --tile 8", "Invalid value for '--tile'"),
        ("predict picture.png -m PP-YOLOE_seg-M", "did you mean PP-YOLOE_seg-S?"),
        ("pipeline config --model nowhere", "nowhere does not exist"),
        ("pipeline config --save-path there.yaml", "exists already"),
        ("pipeline config --schema paddlex3beta --threshold 0.3", "has no threshold"),
        ("pipeline config --device tpu", "'tpu' is not a device"),
        ("registry register folder --name a/b", "'a/b' cannot name a registered model"),
        ("registry register nowhere --name a", "there is no run 'nowhere'"),
        ("registry show nothing", "no model is registered as 'nothing'"),
        ("registry config models:/a@b --save-path there.json", "exists already"),
        ("replay nowhere", "there is no file nowhere"),
        ("replay folder", "no step that a run has kept"),
        ("replay picture.png", "no step that a run has kept"),
        ("replay picture.png --device tpu", "'tpu' is not a device"),
        ("demo --output folder", "exists already"),
        ("recipes validate half.yaml", "is not YAML"),
        ("trian", "Did you mean 'train'?"),
    ],
    ids=lambda value: value if " " in value else None,
)
def test_misuse_is_told_clearly_and_leaves_nothing(place: Path, line: str, words: str) -> None:
    before = sorted(place.rglob("*"))

    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, line.split())

    assert words in shown.stderr
    assert shown.exit_code == 2
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""
    assert sorted(place.rglob("*")) == before
