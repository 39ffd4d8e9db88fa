"""Training state to checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paddle
from numpy.typing import NDArray

from segtune.errors import CheckpointError
from segtune.training.checkpoint import (
    TRAINING_FILE,
    CheckpointInfo,
    load_exactly,
    read_info,
    read_training,
    write_checkpoint,
)
from segtune.training.job import Job
from segtune.training.loop import TrainingState
from segtune.training.optimizer import optimizer_state, restore_optimizer


def used_weights(state: TrainingState) -> dict[str, NDArray[Any]]:
    """Return the weights to evaluate and export: averaged ones when averaging is on."""
    tensors = state.network.state_dict() if state.ema is None else state.ema.weights()
    return _arrays(tensors)


def save_state(
    state: TrainingState,
    folder: Path,
    *,
    job: Job,
    metrics: dict[str, float],
    resumable: bool = True,
) -> None:
    """Write a checkpoint of the present state. Raises OutputError."""
    info = CheckpointInfo(
        model_name=job.spec.name,
        categories=job.train.categories,
        preprocess=job.preprocess,
        dataset_fingerprint=job.fingerprint,
        epoch=state.epoch,
        step=state.step,
        metrics=metrics,
        best_metric=state.best_metric,
        ema_updates=0 if state.ema is None else state.ema.num_updates,
        ema_unseen=1.0 if state.ema is None else state.ema.unseen_weight,
        history=state.history,
        partial_losses=state.loss_sums,
    )
    training = _training_arrays(state) if resumable else None
    write_checkpoint(folder, info, used_weights(state), training)


def restore_state(state: TrainingState, folder: Path, job: Job) -> None:
    """Bring a fresh state to where a checkpoint was saved.

    Raises:
        CheckpointError: The checkpoint is damaged, or the dataset has changed since.
    """
    info = read_info(folder)
    if info.dataset_fingerprint != job.fingerprint:
        raise CheckpointError(
            "the dataset has changed since the run began, so it cannot continue as it began",
            where=f"{job.files.train}, {job.files.val}",
            remedy="restore the annotations, or start a new run",
        )
    parts = _split(read_training(folder))
    load_exactly(state.network, parts["network"], folder / TRAINING_FILE)
    restore_optimizer(state.optimizer, state.network, parts["optimizer"])
    if state.ema is not None:
        state.ema.restore(parts["ema"], info.ema_updates, info.ema_unseen)
    state.epoch, state.step = info.epoch, info.step
    state.loss_sums = dict(info.partial_losses)
    state.history = list(info.history)
    state.best_metric = info.best_metric


def _training_arrays(state: TrainingState) -> dict[str, NDArray[Any]]:
    parts = {
        "network": state.network.state_dict(),
        "optimizer": optimizer_state(state.optimizer, state.network),
        "ema": {} if state.ema is None else state.ema.state(),
    }
    return _arrays(
        {f"{part}:{k}": v for part, tensors in parts.items() for k, v in tensors.items()}
    )


def _split(arrays: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    parts: dict[str, dict[str, NDArray[Any]]] = {"network": {}, "optimizer": {}, "ema": {}}
    for key, array in arrays.items():
        part, name = key.split(":", 1)
        parts[part][name] = array
    return parts


def _arrays(tensors: Mapping[str, paddle.Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
