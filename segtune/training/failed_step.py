"""A training step that failed, in a file from which it can be computed again.

failed_step_<n>.safetensors
    network:<name>     the network's state dict as it was before the step
    batch:<name>       the arrays of the batch
    metadata           `format`, and the fields of StepInfo as JSON
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError
from safetensors import SafetensorError, safe_open

from segtune.data.collate import Batch
from segtune.errors import CheckpointError, RecipeError
from segtune.files import atomic_path
from segtune.recipe import StrictModel
from segtune.training.checkpoint import save_arrays
from segtune.zoo import ModelSpec, find_spec

_KIND = "segtune failed step"
FORMAT = f"{_KIND} 3"
_NETWORK, _BATCH = "network:", "batch:"
_DTYPES = {
    "images": "F32",
    "boxes": "F32",
    "labels": "I64",
    "masks": "U8",
    "valid": "BOOL",
    "sizes_hw": "F32",
}


class StepInfo(StrictModel):
    """All but arrays that decides the losses of a step, and what became of it."""

    model_name: str = Field(description="A name of the zoo.")
    num_classes: PositiveInt
    regions_per_image: PositiveInt | None = Field(description="That were sampled, if any were.")
    seed: NonNegativeInt = Field(description="Of the run.")
    step: NonNegativeInt = Field(description="Finished steps before it, over all epochs.")
    image_ids: list[int] = Field(min_length=1)
    file_names: list[str] = Field(description="Of the same images, from the images folder.")
    trained: list[str] = Field(description="Parameters that were given a gradient.")
    frozen_norms: list[str] = Field(description="Norms that were a constant while training.")
    device: str
    threads: PositiveInt = Field(description="Of the CPU; they decide the last bits.")
    segtune_version: str
    paddle_version: str
    problem: str = Field(description="What was not finite.")


@dataclass(frozen=True, eq=False)
class FailedStep:
    """A step as it was before anything was computed."""

    info: StepInfo
    batch: Batch
    weights: Mapping[str, NDArray[Any]]  # the state dict


def write_failed_step(file: Path, failed: FailedStep) -> None:
    """Write a step, whole or not at all. Raises OutputError."""
    arrays = {f"{_NETWORK}{name}": array for name, array in failed.weights.items()}
    arrays |= {f"{_BATCH}{name}": getattr(failed.batch, name) for name in _DTYPES}
    fields = failed.info.model_dump()
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in fields.items()}
    with atomic_path(file) as beside:
        save_arrays(arrays, beside, {"format": FORMAT, **metadata})


def read_failed_step(file: Path) -> FailedStep:
    """Return the step that a file holds; its parts are known to fit each other.

    Raises:
        CheckpointError: There is no such file, or it is of another kind, damaged, or written by
            another version of segtune.
    """
    try:
        with safe_open(file, framework="numpy") as stored:
            info = _read_info(stored.metadata() or {}, file)
            dtypes = {name: stored.get_slice(name).get_dtype() for name in stored.keys()}  # noqa: SIM118
            _check_names_and_types(dtypes)
            arrays = {name: stored.get_tensor(name) for name in dtypes}
        batch, weights = _read_batch(info, arrays), _read_weights(info, arrays)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no file {file}",
            where=str(file),
            remedy="give the failed_step_*.safetensors file of a run folder",
        ) from error
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"the file is damaged, or no step that a run has kept: {error}",
            where=str(file),
            remedy="give the failed_step_*.safetensors file of a run folder, copied as a whole",
        ) from error
    return FailedStep(info, batch, weights)


def _read_info(metadata: Mapping[str, str], file: Path) -> StepInfo:
    """Return the metadata as it was. Raises ValueError, or CheckpointError for other versions."""
    kind = metadata.get("format", "")
    if kind != FORMAT:
        if not kind.startswith(_KIND):
            raise ValueError("its metadata are of another kind")
        raise CheckpointError(
            f"the file has the format '{kind}', this segtune reads '{FORMAT}'",
            where=str(file),
            remedy="use the segtune version that wrote it",
        )
    fields = {name: json.loads(text) for name, text in metadata.items() if name != "format"}
    try:
        info = StepInfo.model_validate(fields, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if len(info.file_names) != len(info.image_ids):
        raise ValueError("it has not one file name for each image")
    return info


def _check_names_and_types(dtypes: Mapping[str, str]) -> None:
    """Raise ValueError for an array that is missing, unknown or of another type."""
    expected = {f"{_BATCH}{name}": dtype for name, dtype in _DTYPES.items()}
    for name in expected.keys() | dtypes.keys():
        wanted = expected.get(name, "F32" if name.startswith(_NETWORK) else "absent")
        found = dtypes.get(name, "absent")
        if found != wanted:
            raise ValueError(f"{name} is {found}, not {wanted}")


def _read_batch(info: StepInfo, arrays: Mapping[str, NDArray[Any]]) -> Batch:
    """Return the batch among the arrays. Raises ValueError when its parts do not fit."""
    images, boxes, labels, masks, valid, sizes_hw = (arrays[f"{_BATCH}{name}"] for name in _DTYPES)
    spec = _spec_of(info)
    if images.ndim != 4 or labels.ndim != 2:
        raise ValueError(f"images have the shape {images.shape}, labels {labels.shape}")
    num_images, most = len(info.image_ids), labels.shape[1]
    input_hw = images.shape[2:]
    grid_hw = tuple(-(-side // spec.mask_stride) for side in input_hw)
    expected = {
        "images": (images, (num_images, 3, *input_hw)),
        "boxes": (boxes, (num_images, most, 4)),
        "labels": (labels, (num_images, most)),
        "masks": (masks, (num_images, most, *grid_hw)),
        "valid": (valid, (num_images, most)),
        "sizes_hw": (sizes_hw, (num_images, 2)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"{name} have the shape {array.shape}, not {shape}")
    if 0 in input_hw or any(side % spec.size_divisor for side in input_hw):
        raise ValueError(f"{spec.name} does not take images of {input_hw[0]} x {input_hw[1]}")
    if not np.all((sizes_hw >= 1) & (sizes_hw <= input_hw)):
        raise ValueError(f"an image is not within its input of {input_hw[0]} x {input_hw[1]}")
    if np.any((labels < 0) | (labels >= info.num_classes)):
        raise ValueError(f"a label is outside of 0 to {info.num_classes - 1}")
    return Batch(images, boxes, labels, masks, valid, sizes_hw, info.image_ids)


def _read_weights(info: StepInfo, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the state dict among the arrays. Raises ValueError when it has other classes."""
    weights = {
        name.removeprefix(_NETWORK): array
        for name, array in arrays.items()
        if name.startswith(_NETWORK)
    }
    # Every network has a tensor with a row for each class; building one for a number that was
    # damaged could take all memory.
    if not any(info.num_classes in array.shape for array in weights.values()):
        raise ValueError(f"no tensor of the network is made for {info.num_classes} classes")
    return weights


def _spec_of(info: StepInfo) -> ModelSpec:
    try:
        return find_spec(info.model_name)
    except RecipeError as error:
        raise ValueError(error.problem) from error
