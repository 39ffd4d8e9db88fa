import csv
from pathlib import Path

import pytest

from segtune.errors import CheckpointError, OutputError, RecipeError
from segtune.training.checkpoint import INFO_FILE
from segtune.training.run_folder import RunFolder, create_run_folder, open_run_folder


def test_runs_are_numbered_and_never_share_a_folder(tmp_path: Path) -> None:
    first = create_run_folder(tmp_path / "runs", "pens", "epochs: 1\n")
    second = create_run_folder(tmp_path / "runs", "pens", "epochs: 2\n")

    assert [first.path.name, second.path.name] == ["pens-1", "pens-2"]
    assert first.recipe.read_text() == "epochs: 1\n"


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "nul\0"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="cannot name a run"):
        create_run_folder(tmp_path, name, "")

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_runs_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")

    with pytest.raises(OutputError):
        create_run_folder(tmp_path / "runs", "pens", "")

    assert (tmp_path / "runs").read_text() == "mine"


def test_only_the_newest_checkpoints_stay(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (2, 10, 9):
        folder.checkpoint(step).mkdir(parents=True)
        (folder.checkpoint(step) / INFO_FILE).write_text("{}")
    folder.best.mkdir()

    folder.prune(keep=2)

    left = sorted(path.name for path in folder.checkpoints.iterdir())
    assert left == ["best", "step_00000009", "step_00000010"]


def test_half_written_leftovers_are_swept_and_the_rest_stays(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (folder.checkpoints / ".step_00000001.x1.part").mkdir(parents=True)
    (folder.checkpoints / ".best.x2.old").mkdir()
    (tmp_path / ".metrics.csv.x3.part").write_text("")
    folder.best.mkdir()

    folder.sweep()

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["best", "checkpoints"]


def test_metrics_have_a_column_for_every_figure_of_any_epoch(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)

    folder.write_metrics([{"epoch": 1, "loss": 2.5}, {"epoch": 2, "loss": 2.0, "mask_ap": 0.1}])

    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert rows == [
        {"epoch": "1", "loss": "2.5", "mask_ap": ""},
        {"epoch": "2", "loss": "2.0", "mask_ap": "0.1"},
    ]


def test_a_folder_that_is_no_run_cannot_be_continued(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a run folder"):
        open_run_folder(tmp_path)
