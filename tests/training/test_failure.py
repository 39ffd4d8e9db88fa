from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from segtune.devices import Device
from segtune.errors import TrainingError
from segtune.models.conv_norm import BatchNorm
from segtune.models.segmenter import InstanceSegmenter
from segtune.recipe import OptimizerRecipe
from segtune.training.failed_step import read_failed_step
from segtune.training.failure import failures_kept
from segtune.training.loop import FailedStepError, TrainingState
from segtune.training.optimizer import build_optimizer
from segtune.training.run_folder import RunFolder
from tests.failing import CLASSES, batch_of_two, job_of


class TwoNorms(InstanceSegmenter):
    """A network with a weight for each class and two norms, of which one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([len(CLASSES)])
        self.thawed = BatchNorm(2)
        self.frozen = BatchNorm(2, frozen=True)


@pytest.fixture
def state() -> TrainingState:
    network = TwoNorms()
    return TrainingState(network, build_optimizer(network, OptimizerRecipe()), None, step=12)


@contextmanager
def _no_room(num_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_the_error_names_images_file_and_command(tmp_path: Path, state: TrainingState) -> None:
    run = RunFolder(tmp_path / "a run-1")

    with (
        pytest.raises(TrainingError, match="loss is not finite") as caught,
        failures_kept(job_of(tmp_path), state, run, Device("cpu")),
    ):
        raise FailedStepError("loss is not finite", batch_of_two())

    file = run.path / "failed_step_00000012.safetensors"
    assert caught.value.problem == "loss is not finite"
    assert caught.value.where == "step 12, images a.png (id 7), more/b c.png (id 3)"
    assert f"`segtune replay '{file}'`" in str(caught.value.remedy)
    assert file.is_file()


def test_the_file_holds_all_that_decides_the_losses(tmp_path: Path, state: TrainingState) -> None:
    with (
        pytest.raises(TrainingError),
        failures_kept(job_of(tmp_path), state, RunFolder(tmp_path), Device("cpu")),
    ):
        raise FailedStepError("loss is not finite", batch_of_two())

    failed = read_failed_step(tmp_path / "failed_step_00000012.safetensors")
    assert (failed.info.seed, failed.info.step, failed.info.num_classes) == (5, 12, 3)
    assert failed.info.file_names == ["a.png", "more/b c.png"]
    assert failed.info.trained == ["weight", "thawed.weight", "thawed.bias"]
    assert failed.info.frozen_norms == ["frozen"]
    assert failed.weights.keys() == state.network.state_dict().keys()
    np.testing.assert_array_equal(failed.weights["weight"], state.network.weight.numpy())


def test_a_full_disk_does_not_hide_what_happened(tmp_path: Path, state: TrainingState) -> None:
    with (
        pytest.raises(TrainingError) as caught,
        _no_room(1000),
        failures_kept(job_of(tmp_path), state, RunFolder(tmp_path), Device("cpu")),
    ):
        raise FailedStepError("loss is not finite", batch_of_two())

    assert caught.value.problem.startswith("loss is not finite, and the step could not be kept: ")
    assert "images a.png" in str(caught.value.where)
    assert f"segtune train --resume {tmp_path}" in str(caught.value.remedy)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass_and_leave_no_file(tmp_path: Path, state: TrainingState) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        failures_kept(job_of(tmp_path), state, RunFolder(tmp_path), Device("cpu")),
    ):
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []
