"""`convert`, `split`, `merge` and `sample` as their users run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from segtune.cli.app import app
from tests.drawing import draw_coco
from tests.formats.labelled import corners, labelme_folder, shape


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_labelme_folder_becomes_a_dataset_to_train_on_in_two_commands(tmp_path: Path) -> None:
    for number in range(4):
        shapes = [shape("cat", corners(1, 1, 9, 9)), shape("cat", [[1, 1], [9, 9]], "line")]
        labelme_folder(tmp_path / "in", shapes, name=f"{number}", seed=number)

    done = _run("convert", tmp_path / "in", tmp_path / "coco")

    assert done.exit_code == 0, done.stderr
    assert "is taken for labelme" in done.stderr
    assert "not carried over: 4 x line shape, which has no area" in done.stdout
    assert "and 1 more" in done.stdout
    assert done.stdout.endswith(f"next: segtune split {tmp_path}/coco OUT --val 0.2\n")
    split = _run("split", tmp_path / "coco", tmp_path / "out", "--val", "0.25")
    assert split.exit_code == 0, split.stderr
    assert "furthest from the wish: " in split.stdout
    assert _run("check-dataset", tmp_path / "out").exit_code == 0


def test_merge_and_sample_show_tables(tmp_path: Path) -> None:
    first, second = draw_coco(tmp_path / "a"), draw_coco(tmp_path / "b", seed=1)

    merged = _run("merge", first, second, tmp_path / "out", "--rename", "disc=coin", "--link")

    assert merged.exit_code == 0, merged.stderr
    assert "class coin" in merged.stdout
    assert "look at: 12 x image given another id" in merged.stdout
    sampled = _run("sample", tmp_path / "out", tmp_path / "few", "--num", "4")
    assert sampled.exit_code == 0, sampled.stderr
    assert f"written to {tmp_path}/few\n" in sampled.stdout


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("convert {in} {out} --from coco --to yolo --json", "not_carried_over"),
        ("split {in} {out} --folds 3 --json", "deviations"),
        ("merge {in} {out} --json", "notes"),
        ("sample {in} {out} --per-class 1 --json", "missing_classes"),
    ],
)
def test_json_is_all_of_stdout(tmp_path: Path, line: str, key: str) -> None:
    draw_coco(tmp_path / "in")
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}

    done = _run(*line.format(**places).split())

    assert done.exit_code == 0, done.stderr
    assert key in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("convert nowhere {out}", "there is no such dataset"),
        ("convert nowhere {out} --from yolo", "there is no such dataset"),
        ("convert {in} {out} --rename disc", "does not say what to rename"),
        ("convert {in} {out} --from voc", "there is no SegmentationObject folder"),
        ("convert {in} {in}", "exists already"),
        ("split {in} {out}", "both asked for, or neither"),
        ("split nowhere {out} --val 0.2", "there is no COCO annotation file"),
        ("merge {in}", "there is nothing to merge"),
        ("sample {in} {out}", "not said how many images"),
    ],
)
def test_misuse_is_told_with_status_2_and_leaves_nothing(
    tmp_path: Path, line: str, words: str
) -> None:
    draw_coco(tmp_path / "in")
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}

    done = _run(*line.format(**places).split())

    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
