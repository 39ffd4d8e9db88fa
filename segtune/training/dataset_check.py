"""`dataset_check.json`: how a run's dataset was looked at before its first step."""

from __future__ import annotations

import json
from typing import Any, cast

from segtune.errors import CheckpointError
from segtune.files import write_text
from segtune.training.job import DatasetCheck
from segtune.training.run_folder import RunFolder


def write_dataset_check(folder: RunFolder, check: DatasetCheck, found: dict[str, Any]) -> None:
    """Write which check it was, and what it found. Raises OutputError."""
    text = json.dumps({"check": check, **found}, indent=2, ensure_ascii=False)
    write_text(folder.dataset_check, text + "\n")


def read_dataset_check(folder: RunFolder) -> DatasetCheck:
    """Return which check a run began with; `full` for a run from before there was a choice.

    Raises:
        CheckpointError: The file cannot be read.
    """
    if not folder.dataset_check.exists():
        return "full"
    try:
        check = json.loads(folder.dataset_check.read_text(encoding="utf-8"))["check"]
        if check not in ("full", "skip"):
            raise ValueError(f"{check!r} is no check")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder.dataset_check.name} cannot be read: {error}",
            where=str(folder.dataset_check),
            remedy="remove the file; the dataset is checked again then",
        ) from error
    return cast("DatasetCheck", check)
