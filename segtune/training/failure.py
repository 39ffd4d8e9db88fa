"""What a run makes of a step that failed: a file to replay it, an error that names its images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import paddle

import segtune
from segtune import processor
from segtune.data.collate import Batch
from segtune.devices import Device
from segtune.errors import OutputError, TrainingError
from segtune.models.conv_norm import BatchNorm
from segtune.training.failed_step import FailedStep, StepInfo, write_failed_step
from segtune.training.job import Job
from segtune.training.loop import FailedStepError, TrainingState
from segtune.training.run_folder import RunFolder

GENTLER = "lower optimizer.lr, set optimizer.clip_norm, or lengthen the warm-up"


@contextmanager
def failures_kept(
    job: Job, state: TrainingState, folder: RunFolder, device: Device
) -> Iterator[None]:
    """Keep a step that fails in this block in the run folder, and tell the user of it.

    Raises:
        TrainingError: A step failed. The error names its images and the command that replays it,
            or says why the step could not be kept.
    """
    try:
        yield
    except FailedStepError as error:
        raise _keep(error, job, state, folder, device) from error


def _keep(
    failure: FailedStepError, job: Job, state: TrainingState, folder: RunFolder, device: Device
) -> TrainingError:
    """Write the file of a failed step and return the error that the user shall see."""
    info = _info_of(failure, job, state, device)
    file = folder.failed_step(state.step)
    problem = failure.problem
    remedy = f"`segtune replay {shlex.quote(str(file))}` tells what is not finite; look at these "
    remedy += f"images, {GENTLER}"
    weights = {name: tensor.numpy() for name, tensor in state.network.state_dict().items()}
    try:
        write_failed_step(file, FailedStep(info, failure.batch, weights))
    except OutputError as error:
        problem += f", and the step could not be kept: {error.problem}"
        again = f"segtune train --resume {shlex.quote(str(folder.path))}"
        remedy = f"make room and run `{again}`, which comes to this step again; or {GENTLER}"
    images = ", ".join(
        f"{name} (id {number})"
        for name, number in zip(info.file_names, info.image_ids, strict=True)
    )
    return TrainingError(problem, where=f"step {state.step}, images {images}", remedy=remedy)


def _info_of(failure: FailedStepError, job: Job, state: TrainingState, device: Device) -> StepInfo:
    network = state.network
    return StepInfo(
        model_name=job.spec.name,
        num_classes=len(job.train.categories),
        regions_per_image=network.regions_per_image,
        seed=job.recipe.seed,
        step=state.step,
        image_ids=failure.batch.image_ids,
        file_names=_file_names(failure.batch, job),
        trained=[name for name, each in network.named_parameters() if not each.stop_gradient],
        frozen_norms=[
            name
            for name, layer in network.named_sublayers()
            if isinstance(layer, BatchNorm) and layer.frozen
        ],
        device=str(device),
        threads=processor.default_threads(),
        segtune_version=segtune.__version__,
        paddle_version=paddle.__version__,
        problem=failure.problem,
    )


def _file_names(batch: Batch, job: Job) -> list[str]:
    """Return the names of the images of a batch as the annotations have them."""
    paths = {record.image_id: record.path for record in job.train.images}
    root = job.files.images_root
    return [
        (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        for path in (paths[number] for number in batch.image_ids)
    ]
