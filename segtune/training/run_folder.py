"""The folder of one run: what lies where, and which checkpoints stay.

runs/<name>-<n>/
    recipe.yaml            the resolved recipe
    dataset_check.json     what the check of the dataset found, or that it was skipped
    metrics.csv            one row an epoch
    curves.png             the same, drawn
    train.log              what was said while training
    train_result.json      the outcome
    checkpoints/           step_<n>/, the newest ones, and best/
    failed_step_<n>.safetensors  a step whose numbers were not finite, to replay it
    best_model/inference/  the exported bundle
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segtune.errors import CheckpointError, OutputError, RecipeError
from segtune.files import write_text
from segtune.training.checkpoint import is_checkpoint

RECIPE_FILE = "recipe.yaml"


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / RECIPE_FILE

    @property
    def dataset_check(self) -> Path:
        """What the check of the dataset found, or that it was skipped."""
        return self.path / "dataset_check.json"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """Losses and AP over epochs, drawn."""
        return self.path / "curves.png"

    @property
    def log(self) -> Path:
        """What was said while training."""
        return self.path / "train.log"

    @property
    def result(self) -> Path:
        """The outcome, present when the run has ended well."""
        return self.path / "train_result.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of all checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the largest mask AP."""
        return self.checkpoints / "best"

    @property
    def bundle(self) -> Path:
        """The exported model."""
        return self.path / "best_model" / "inference"

    def checkpoint(self, step: int) -> Path:
        """Return the folder of the checkpoint after `step` steps."""
        return self.checkpoints / f"step_{step:08d}"

    def failed_step(self, step: int) -> Path:
        """Return the file of a step, counted over all epochs, whose numbers were not finite."""
        return self.path / f"failed_step_{step:08d}.safetensors"

    def numbered_checkpoints(self) -> list[Path]:
        """Return the checkpoints that training can resume from, oldest first."""
        return sorted(path for path in self.checkpoints.glob("step_*") if is_checkpoint(path))

    def prune(self, keep: int) -> None:
        """Remove all numbered checkpoints but the newest `keep`."""
        for old in self.numbered_checkpoints()[:-keep]:
            going = old.with_name(f".{old.name}.old")  # never half a checkpoint under its name
            old.rename(going)
            shutil.rmtree(going)

    def sweep(self) -> None:
        """Remove what a killed process left half-written."""
        for pattern in (".*.part", ".*.old"):
            folders = (self.path, self.checkpoints, self.bundle.parent)
            for left in [path for folder in folders for path in folder.glob(pattern)]:
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()

    def write_metrics(self, history: Sequence[dict[str, float]]) -> None:
        """Write one row an epoch; the columns are those of all rows together."""
        columns = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_text(self.metrics, text.getvalue())


def create_run_folder(runs: Path, name: str, recipe_text: str) -> RunFolder:
    """Make `runs/<name>-<n>/` with the first free n, holding the resolved recipe.

    Raises:
        RecipeError: `name` cannot be a folder's name.
        OutputError: The folder cannot be written to.
    """
    check_run_name(runs, name)
    number = 1
    while True:
        folder = RunFolder(runs / f"{name}-{number}")
        try:
            folder.path.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(
                f"cannot make a run folder: {error.strerror}",
                where=str(runs),
                remedy="check permissions, or choose another --runs folder",
            ) from error
    write_text(folder.recipe, recipe_text)
    return folder


def check_run_name(runs: Path, name: str) -> None:
    """Refuse what cannot become a run folder, before any work is done.

    Raises:
        RecipeError: `name` cannot be a folder's name.
        OutputError: `runs` is a file.
    """
    if not re.fullmatch(r"[\w][\w.\- ]*", name):
        raise RecipeError(
            f"{name!r} cannot name a run", remedy="use letters, digits, '-', '_', '.' and blanks"
        )
    if runs.exists() and not runs.is_dir():
        raise OutputError(
            f"{runs} is a file", where=str(runs), remedy="choose another --runs folder"
        )


def open_run_folder(path: Path) -> RunFolder:
    """Return the run folder at `path`, to continue it. Raises CheckpointError."""
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise CheckpointError(
            f"{path} is not a run folder",
            where=str(folder.recipe),
            remedy="give the folder that `segtune train` made, such as runs/pp_yoloe_seg_s-1",
        )
    return folder


def is_run_folder(path: Path) -> bool:
    """Tell whether `path` is the folder of a run."""
    return (path / RECIPE_FILE).is_file() and (path / "checkpoints").is_dir()
