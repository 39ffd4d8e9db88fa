"""Checkpoint folders: weights to use, what it takes to resume, and what both belong to.

model.safetensors      the network's state dict to evaluate and export; averaged when EMA is on
training.safetensors   raw weights, optimizer state, averages; absent in the best checkpoint
checkpoint.json        CheckpointInfo
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from segtune.categories import Categories
from segtune.errors import CheckpointError
from segtune.files import atomic_folder, write_text
from segtune.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from segtune.models.segmenter import InstanceSegmenter

FORMAT = 1
MODEL_FILE = "model.safetensors"
TRAINING_FILE = "training.safetensors"
INFO_FILE = "checkpoint.json"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint's weights belong to, and how far training had come.

    Attributes:
        model_name: A name of the zoo.
        categories: The classes, by label.
        preprocess: How images reach the network.
        dataset_fingerprint: Of both splits, so that a run continues on the data it began with.
        epoch: Finished epochs.
        step: Finished steps, over all epochs.
        metrics: Figures of the last evaluation, by the names of `evaluation.report`.
        best_metric: Largest mask AP so far, None before the first evaluation.
        ema_updates: Updates that the averages have seen.
        ema_unseen: Weight that the averages have not seen.
        history: One row of figures for each finished epoch.
        partial_losses: Sums of the losses of an unfinished epoch.
    """

    model_name: str
    categories: Categories
    preprocess: PreprocessSpec
    dataset_fingerprint: str
    epoch: int
    step: int
    metrics: dict[str, float] = field(default_factory=dict)
    best_metric: float | None = None
    ema_updates: int = 0
    ema_unseen: float = 1.0
    history: list[dict[str, float]] = field(default_factory=list)
    partial_losses: dict[str, float] = field(default_factory=dict)


def write_checkpoint(
    folder: Path, info: CheckpointInfo, weights: Arrays, training: Arrays | None
) -> None:
    """Make a checkpoint folder, replacing one of the same name. Raises OutputError."""
    fields = {name: getattr(info, name) for name in info.__dataclass_fields__}
    fields["categories"] = info.categories.to_json()
    fields["preprocess"] = asdict(info.preprocess)
    with atomic_folder(folder, replace=True) as beside:
        save_arrays(weights, beside / MODEL_FILE)
        if training is not None:
            save_arrays(training, beside / TRAINING_FILE)
        text = json.dumps({"format": FORMAT, **fields}, indent=2, ensure_ascii=False)
        write_text(beside / INFO_FILE, text + "\n")


def is_checkpoint(path: Path) -> bool:
    """Tell whether `path` is a checkpoint folder."""
    return (path / INFO_FILE).is_file()


def read_info(folder: Path) -> CheckpointInfo:
    """Read what a checkpoint belongs to.

    Raises:
        CheckpointError: There is no checkpoint, or it is damaged or of another format.
    """
    file = folder / INFO_FILE
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} is not a checkpoint", where=str(file), remedy="give a checkpoint folder"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(file, str(error)) from error
    if not isinstance(fields, dict):
        raise _damaged(file, "it holds no fields")
    found = fields.pop("format", None)
    if found != FORMAT:
        raise CheckpointError(
            f"the checkpoint has format {found}, this segtune reads format {FORMAT}",
            where=str(file),
            remedy="use the segtune version that wrote it",
        )
    try:
        fields["categories"] = Categories.from_json(fields["categories"])
        fields["preprocess"] = PreprocessSpec.from_json(fields["preprocess"])
        return CheckpointInfo(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(file, str(error)) from error


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """Read the weights to use. Raises CheckpointError."""
    return _read_tensors(folder / MODEL_FILE)


def read_training(folder: Path) -> dict[str, NDArray[Any]]:
    """Read raw weights, optimizer state and averages. Raises CheckpointError."""
    return _read_tensors(folder / TRAINING_FILE)


def load_network(folder: Path) -> tuple[InstanceSegmenter, CheckpointInfo]:
    """Build a checkpoint's network, in eval mode, with the weights to use.

    Raises:
        CheckpointError: The folder is no checkpoint, or it is damaged.
    """
    from segtune.zoo import build_model

    info = read_info(folder)
    weights = read_weights(folder)
    network = build_model(info.model_name, len(info.categories))
    load_exactly(network, weights, folder / MODEL_FILE)
    network.eval()
    return network, info


def load_exactly(network: InstanceSegmenter, weights: Arrays, file: Path) -> None:
    """Give every tensor of a network its value, none more, none fewer. Raises CheckpointError."""
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(array.shape) for name, array in weights.items()}
    if own != given:
        odd = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
        raise CheckpointError(
            f"{len(odd)} tensors differ from those of the network, first {odd[0]}",
            where=str(file),
            remedy="use the segtune version that wrote the checkpoint",
        )
    network.set_state_dict(dict(weights))


def _read_tensors(file: Path) -> dict[str, NDArray[Any]]:
    try:
        return dict(load_file(file))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{file.name} is missing from the checkpoint",
            where=str(file),
            remedy="the best checkpoint cannot be resumed from; use a numbered one",
        ) from error
    except (SafetensorError, OSError) as error:
        raise _damaged(file, str(error)) from error


def save_arrays(arrays: Arrays, file: Path, metadata: dict[str, str] | None = None) -> None:
    """Write arrays by name as safetensors. Raises OSError, also where safetensors has its own."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        save_file(contiguous, file, metadata)
    except SafetensorError as error:  # what a full disk becomes
        raise OSError(str(error)) from error


def _damaged(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint is damaged: {reason}", where=str(file), remedy="use an earlier checkpoint"
    )
