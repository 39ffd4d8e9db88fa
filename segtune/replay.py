"""Use case: a stored step of a run to what is not finite about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segtune.devices import Device, open_device
from segtune.processor import import_paddle_quietly
from segtune.training.checkpoint import load_exactly
from segtune.training.failed_step import FailedStep, StepInfo, read_failed_step
from segtune.zoo import build_model

if TYPE_CHECKING:
    from segtune.models.segmenter import InstanceSegmenter

CPU = Device("cpu")


@dataclass(frozen=True)
class ReplayReport:
    """What computing a stored step again has shown.

    Attributes:
        info: What the step was.
        interruption: What the network said when it gave up before any loss; None if it did not.
        losses: By name; none when the network gave up.
        num_gradients: Parameters that have a gradient.
        odd_gradients: Those of them whose gradient is not finite.
        odd_weights: Tensors of the state dict, before the step, that are not finite.
        odd_images: File names of the images whose array is not finite.
        odd_boxes: File names of the images that have a box which is not finite.
    """

    info: StepInfo
    interruption: str | None
    losses: Mapping[str, float]
    num_gradients: int
    odd_gradients: tuple[str, ...]
    odd_weights: tuple[str, ...]
    odd_images: tuple[str, ...]
    odd_boxes: tuple[str, ...]

    @property
    def is_finite(self) -> bool:
        """Whether the step could go on here."""
        losses = self.interruption is None and all(map(math.isfinite, self.losses.values()))
        return losses and not self.odd_gradients

    def to_json(self) -> dict[str, Any]:
        """Return the report; numbers that JSON does not have are the texts nan, inf and -inf."""
        return {
            "step": self.info.model_dump(),
            "is_finite": self.is_finite,
            "interruption": self.interruption,
            "losses": {
                name: value if math.isfinite(value) else str(value)
                for name, value in self.losses.items()
            },
            "num_gradients": self.num_gradients,
            "odd_gradients": list(self.odd_gradients),
            "odd_weights": list(self.odd_weights),
            "odd_images": list(self.odd_images),
            "odd_boxes": list(self.odd_boxes),
        }


def replay_step(file: Path, *, device: Device = CPU, threads: int | None = None) -> ReplayReport:
    """Compute the losses and gradients of a stored step again.

    Losses are those of the run to the last bit, on the same kind of processor with the same
    version of Paddle.

    Args:
        file: As a run keeps it when the numbers of a step are not finite.
        device: Where to compute.
        threads: Of the CPU; default: as many as the run had.

    Raises:
        CheckpointError: The file is absent, damaged or of another kind.
        DeviceError: The device is not there.
        SegtuneError: Paddle is loaded already with another number of threads.
    """
    failed = read_failed_step(file)
    import_paddle_quietly(threads or failed.info.threads)
    from segtune.training.finite import odd_gradients, values_of
    from segtune.training.loop import batch_losses

    open_device(device)
    network = _network_of(failed, file)
    info, batch = failed.info, failed.batch
    interruption, values = None, {}
    try:
        losses = batch_losses(network, batch, seed=info.seed, step=info.step)
        values = values_of(losses)
        losses["loss"].backward()
    except FloatingPointError as error:
        interruption = str(error)
    return ReplayReport(
        info=info,
        interruption=interruption,
        losses=values,
        num_gradients=sum(parameter.grad is not None for parameter in network.parameters()),
        odd_gradients=tuple(odd_gradients(network)),
        odd_weights=tuple(name for name, array in failed.weights.items() if _is_odd(array)),
        odd_images=_names_of_odd(batch.images, info),
        odd_boxes=_names_of_odd(batch.boxes, info),
    )


def _network_of(failed: FailedStep, file: Path) -> InstanceSegmenter:
    """Build the network of a step as it was before the step, in train mode."""
    from segtune.models.conv_norm import BatchNorm

    network = build_model(failed.info.model_name, failed.info.num_classes)
    if failed.info.regions_per_image is not None:
        network.regions_per_image = failed.info.regions_per_image
    load_exactly(network, failed.weights, file)
    trained, frozen = set(failed.info.trained), set(failed.info.frozen_norms)
    for name, parameter in network.named_parameters():
        parameter.stop_gradient = name not in trained
    for name, layer in network.named_sublayers():
        if isinstance(layer, BatchNorm):
            layer.frozen = name in frozen
    network.train()
    return network


def _names_of_odd(arrays: NDArray[np.float32], info: StepInfo) -> tuple[str, ...]:
    """Return the file names of the images whose row of `arrays` is not finite."""
    return tuple(
        name for name, array in zip(info.file_names, arrays, strict=True) if _is_odd(array)
    )


def _is_odd(array: NDArray[Any]) -> bool:
    return not bool(np.isfinite(array).all())
