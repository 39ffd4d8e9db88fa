"""`train_result.json`: the outcome of a run, with the keys that PaddleX writes and our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtune.errors import CheckpointError
from segtune.files import write_text
from segtune.training.run_folder import RunFolder


@dataclass(frozen=True)
class TrainResult:
    """What a run that ended well has come to.

    Attributes:
        model_name: A name of the zoo.
        epochs: Finished epochs.
        best_epoch: The epoch of the best checkpoint.
        metrics: Figures of the best checkpoint, by the names of `evaluation.report`.
        dataset_fingerprint: Of both splits.
        mlflow_run_id: None when the run was not tracked.
        mlflow_uri: Where it was tracked.
        dataset_check: `skip` when the run began without a check of its dataset, else `full`.
    """

    model_name: str
    epochs: int
    best_epoch: int
    metrics: dict[str, float]
    dataset_fingerprint: str
    mlflow_run_id: str | None = None
    mlflow_uri: str | None = None
    dataset_check: str = "full"


def write_result(folder: RunFolder, result: TrainResult) -> None:
    """Write the outcome of a run. Raises OutputError."""
    best = folder.bundle.relative_to(folder.path)
    content: dict[str, Any] = {
        "model_name": result.model_name,
        "done_flag": True,
        "config": folder.recipe.name,
        "train_log": folder.log.name,
        "models": {
            "best": {
                "score": result.metrics["mask_ap"],
                "weights": str(folder.best.relative_to(folder.path) / "model.safetensors"),
                "inference_config": str(best / "inference.yml"),
                "pdmodel": str(best / "inference.json"),
                "pdiparams": str(best / "inference.pdiparams"),
            }
        },
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "metrics": result.metrics,
        "dataset_fingerprint": result.dataset_fingerprint,
        "dataset_check": result.dataset_check,
        "mlflow_run_id": result.mlflow_run_id,
        "mlflow_uri": result.mlflow_uri,
    }
    write_text(folder.result, json.dumps(content, indent=2) + "\n")


def read_result(path: Path) -> TrainResult:
    """Read `train_result.json`. Raises CheckpointError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = TrainResult.__dataclass_fields__.keys() & content.keys()
        return TrainResult(**{name: content[name] for name in known})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path.name} cannot be read: {error}",
            where=str(path),
            remedy="let the run end: segtune train --resume RUN_FOLDER",
        ) from error
