from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from segtune import processor
from segtune.cli.app import app
from segtune.data.collate import Batch
from segtune.devices import Device
from segtune.errors import CheckpointError, TrainingError
from segtune.models.conv_norm import BatchNorm
from segtune.models.segmenter import InstanceSegmenter
from segtune.recipe import OptimizerRecipe, Recipe
from segtune.replay import replay_step
from segtune.train import fine_tune
from segtune.training.failed_step import read_failed_step, write_failed_step
from segtune.training.failure import failures_kept
from segtune.training.finite import values_of
from segtune.training.loop import FailedStepError, TrainingState, batch_losses, train_step
from segtune.training.optimizer import build_optimizer
from segtune.training.run_folder import RunFolder
from segtune.training.seed import seed_step
from segtune.zoo import build_model
from tests.drawing import draw_coco
from tests.failing import CLASSES, batch_of_two, job_of

MASK_WEIGHT = "yolo_head.proto.conv1.conv.weight"
CPU = Device("cpu")


def _network(num_classes: int = len(CLASSES)) -> InstanceSegmenter:
    seed_step(0, -1)
    network = build_model("PP-YOLOE_seg-S", num_classes)
    network.train()
    return network


def _spoil(network: InstanceSegmenter, name: str) -> None:
    weight = network.state_dict()[name]
    values = weight.numpy()
    values.flat[0] = math.nan
    weight.set_value(values)


def _kept(folder: Path, network: InstanceSegmenter, batch: Batch) -> Path:
    """Return the file of a step that somebody says has failed."""
    state = TrainingState(network, build_optimizer(network, OptimizerRecipe()), None, step=12)
    with (
        pytest.raises(TrainingError),
        failures_kept(job_of(folder), state, RunFolder(folder), CPU),
    ):
        raise FailedStepError("loss is not finite", batch)
    return folder / "failed_step_00000012.safetensors"


def _replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def test_a_healthy_step_replays_to_the_very_same_losses(tmp_path: Path) -> None:
    network = _network()
    file = _kept(tmp_path, network, batch_of_two())
    expected = values_of(batch_losses(network, batch_of_two(), seed=5, step=12))

    report = replay_step(file)

    assert report.losses == expected
    assert report.is_finite
    assert report.num_gradients > 200
    assert (report.odd_gradients, report.odd_weights, report.odd_images) == ((), (), ())


def test_norms_and_weights_that_the_run_froze_are_frozen_in_the_replay(tmp_path: Path) -> None:
    network = _network()
    norms = [layer for layer in network.backbone.sublayers() if isinstance(layer, BatchNorm)]
    for norm in norms:
        norm.frozen = True
    for parameter in network.backbone.parameters():
        parameter.stop_gradient = True
    file = _kept(tmp_path, network, batch_of_two())
    losses = batch_losses(network, batch_of_two(), seed=5, step=12)
    losses["loss"].backward()

    report = replay_step(file)

    assert report.losses == values_of(losses)
    assert report.num_gradients == sum(each.grad is not None for each in network.parameters())


def test_a_spoiled_weight_stops_the_step_and_replays_to_the_same_numbers(tmp_path: Path) -> None:
    network = _network()
    _spoil(network, MASK_WEIGHT)
    before = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    expected = values_of(batch_losses(network, batch_of_two(), seed=5, step=12))
    network.set_state_dict(before)
    state = TrainingState(network, build_optimizer(network, OptimizerRecipe()), None, step=12)

    with (
        pytest.raises(TrainingError, match="loss, loss_mask is not finite") as caught,
        failures_kept(job_of(tmp_path), state, RunFolder(tmp_path), CPU),
    ):
        train_step(state, batch_of_two(), 0.1, seed=5)

    assert "images a.png (id 7), more/b c.png (id 3)" in str(caught.value.where)
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name], err_msg=name)
    report = replay_step(tmp_path / "failed_step_00000012.safetensors")
    np.testing.assert_equal(dict(report.losses), expected)  # NaN equals NaN here
    assert [name for name, value in report.losses.items() if not math.isfinite(value)] == [
        "loss",
        "loss_mask",
    ]
    assert report.odd_weights == (MASK_WEIGHT,)
    assert MASK_WEIGHT in report.odd_gradients
    assert not report.is_finite


def test_a_matcher_that_gives_up_is_reported_without_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(*_: object) -> dict[str, paddle.Tensor]:
        raise FloatingPointError("the costs of image 0 are not finite")

    network = _network()
    file = _kept(tmp_path, network, batch_of_two())
    monkeypatch.setattr(type(network), "losses", give_up)

    report = replay_step(file)

    assert report.interruption == "the costs of image 0 are not finite"
    assert (report.losses, report.num_gradients, report.is_finite) == ({}, 0, False)
    assert "no losses: the costs of image 0" in _replay(file).stdout


def test_images_and_boxes_that_are_not_finite_are_named(tmp_path: Path) -> None:
    batch = batch_of_two()
    batch.images[1, 0, 5, 5] = math.inf
    batch.boxes[0, 1, 2] = math.nan

    report = replay_step(_kept(tmp_path, _network(), batch))

    assert report.odd_images == ("more/b c.png",)
    assert report.odd_boxes == ("a.png",)


def test_the_command_shows_what_is_not_finite_as_table_and_as_json(tmp_path: Path) -> None:
    network = _network()
    _spoil(network, MASK_WEIGHT)
    file = _kept(tmp_path, network, batch_of_two())

    shown = _replay(file)

    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["loss_mask", "nan", "no"] in lines
    assert ["weights", "before", "the", "step", "1", MASK_WEIGHT] in lines
    assert "a.png, more/b c.png" in shown.stdout
    report = json.loads(_replay(file, "--json").stdout)
    assert report["losses"]["loss"] == "nan"
    assert report["losses"]["loss_cls"] > 0
    assert report["odd_weights"] == [MASK_WEIGHT]
    assert report["step"]["image_ids"] == [7, 3]


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def _of_other_weights(file: Path) -> None:
    failed = read_failed_step(file)
    weights = {name: failed.weights[name] for name in list(failed.weights)[5:]}
    write_failed_step(file, replace(failed, weights=weights))


def _of_nothing_known(file: Path) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, file)


@pytest.mark.parametrize("damage", [_cut, _of_other_weights, _of_nothing_known])
def test_a_file_that_cannot_be_used_is_told_clearly_with_status_2(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    file = _kept(tmp_path, _network(), batch_of_two())
    damage(file)

    shown = _replay(file)

    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: ")
    assert str(file) in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""
    with pytest.raises(CheckpointError):
        replay_step(file)


@pytest.mark.slow
def test_a_run_that_is_stopped_names_the_photographs_and_leaves_the_file(tmp_path: Path) -> None:
    data = draw_coco(tmp_path / "set", train=2, val=1)
    network = _network(num_classes=2)
    _spoil(network, MASK_WEIGHT)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    save_file(weights, tmp_path / "spoiled.safetensors")
    recipe = Recipe.model_validate(
        {
            "model": "PP-YOLOE_seg-S",
            "weights": str(tmp_path / "spoiled.safetensors"),
            "data": {"root": data, "workers": 0},
            "image_size": (64, 64),
            "batch_size": 2,
            "tracking": {"enabled": False},
        }
    )

    with pytest.raises(TrainingError) as caught:
        fine_tune(recipe, runs=tmp_path / "runs", run_name="tiny")

    file = tmp_path / "runs" / "tiny-1" / "failed_step_00000000.safetensors"
    assert all(f"train_00{index}.png" in str(caught.value.where) for index in (0, 1))
    assert f"segtune replay {file}" in str(caught.value.remedy)
    kept = read_failed_step(file)
    for name, array in weights.items():
        np.testing.assert_array_equal(kept.weights[name], array, err_msg=name)
    report = replay_step(file, threads=processor.default_threads())
    odd = [name for name, value in report.losses.items() if not math.isfinite(value)]
    assert caught.value.problem == f"{', '.join(odd)} is not finite"
