from __future__ import annotations

import json
from pathlib import Path

import pytest

from segtune.errors import CheckpointError
from segtune.training.dataset_check import read_dataset_check, write_dataset_check
from segtune.training.run_folder import RunFolder


@pytest.mark.parametrize("check", ["full", "skip"])
def test_a_run_remembers_how_its_dataset_was_looked_at(tmp_path: Path, check: str) -> None:
    folder = RunFolder(tmp_path)

    write_dataset_check(folder, "full" if check == "full" else "skip", {"verdict": "pass"})

    assert read_dataset_check(folder) == check
    assert json.loads((tmp_path / "dataset_check.json").read_text())["verdict"] == "pass"


def test_a_run_from_before_there_was_a_choice_was_checked(tmp_path: Path) -> None:
    assert read_dataset_check(RunFolder(tmp_path)) == "full"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"check": "half"}'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_check.json").write_text(content)

    with pytest.raises(CheckpointError, match="cannot be read"):
        read_dataset_check(RunFolder(tmp_path))
