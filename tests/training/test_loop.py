import math

import numpy as np
import paddle
import pytest

from segtune.data.collate import Batch
from segtune.models.conv_norm import BatchNorm
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.progress import SilentTask
from segtune.recipe import EmaRecipe, OptimizerRecipe
from segtune.training.ema import Ema
from segtune.training.loop import (
    FailedStepError,
    TrainingState,
    to_tensors,
    train_epoch,
    train_step,
)
from segtune.training.optimizer import build_optimizer
from tests.failing import batch_of_two


class Slope(InstanceSegmenter):
    """Learns to answer 0 for the mean of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([1])
        self.weight.set_value(paddle.ones([1]))

    def losses(self, images: paddle.Tensor, targets: Targets) -> dict[str, paddle.Tensor]:
        answer = (self.weight * images.mean()).sum()
        return {"loss": answer**2, "loss_mask": answer.abs()}


class Cusp(Slope):
    """Has an infinite gradient where its loss is 0."""

    def losses(self, images: paddle.Tensor, targets: Targets) -> dict[str, paddle.Tensor]:
        return {"loss": (self.weight * images.mean()).sqrt().sum()}


class Matcher(Slope):
    """Gives up before there are losses."""

    def losses(self, images: paddle.Tensor, targets: Targets) -> dict[str, paddle.Tensor]:
        raise FloatingPointError("the costs of image 0 are not finite")


class Normed(Slope):
    """Sees the images through a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = BatchNorm(3)

    def losses(self, images: paddle.Tensor, targets: Targets) -> dict[str, paddle.Tensor]:
        return super().losses(self.norm(images), targets)


def _state(kind: type[Slope] = Slope) -> TrainingState:
    network = kind()
    network.train()
    recipe = OptimizerRecipe(lr=0.1, momentum=0.0, weight_decay=0.0)
    return TrainingState(
        network, build_optimizer(network, recipe), Ema(network, EmaRecipe(decay=0.5, kind="normal"))
    )


def _batch(value: float) -> Batch:
    return Batch(
        images=np.full((1, 3, 4, 4), value, np.float32),
        boxes=np.zeros((1, 0, 4), np.float32),
        labels=np.zeros((1, 0), np.int64),
        masks=np.zeros((1, 0, 1, 1), np.uint8),
        valid=np.zeros((1, 0), bool),
        sizes_hw=np.full((1, 2), 4, np.float32),
        image_ids=[7],
    )


def test_tensors_of_a_batch_are_its_arrays() -> None:
    batch = batch_of_two()

    images, targets = to_tensors(batch)

    np.testing.assert_array_equal(images.numpy(), batch.images)
    for name, tensor in vars(targets).items():
        array = getattr(batch, name)
        np.testing.assert_array_equal(tensor.numpy(), array, err_msg=name)
        assert tensor.numpy().dtype == array.dtype


def test_a_step_follows_the_gradient_at_the_rate_it_is_given() -> None:
    state = _state()

    losses = train_step(state, _batch(1.0), 0.25, seed=0)

    assert losses == {"loss": 1.0, "loss_mask": 1.0}
    assert float(state.network.weight.sum()) == 0.5  # 1 - 0.25 * 2
    assert state.step == 1
    assert state.ema is not None
    assert float(state.ema.weights()["weight"].sum()) == 0.5


def test_losses_of_an_epoch_are_summed_and_the_gradient_starts_anew_each_step() -> None:
    state = _state()

    finished = train_epoch(
        state,
        [_batch(1.0), _batch(1.0)],
        rate_of=lambda step: 0.25,
        seed=0,
        task=SilentTask(),
        stop_asked=lambda: False,
    )

    assert finished
    assert state.loss_sums == {"loss": 1.25, "loss_mask": 1.5}
    assert float(state.network.weight.sum()) == 0.25


def test_a_stop_is_heeded_after_the_step() -> None:
    state = _state()

    finished = train_epoch(
        state,
        [_batch(1.0), _batch(1.0)],
        rate_of=lambda step: 0.25,
        seed=0,
        task=SilentTask(),
        stop_asked=lambda: True,
    )

    assert not finished
    assert state.step == 1


def test_an_epoch_without_batches_is_finished() -> None:
    state = _state()

    assert train_epoch(
        state, [], rate_of=lambda step: 1.0, seed=0, task=SilentTask(), stop_asked=lambda: True
    )
    assert state.step == 0


@pytest.mark.parametrize(
    ("network", "value", "problem"),
    [
        pytest.param(Slope, math.nan, "loss, loss_mask is not finite", id="losses"),
        pytest.param(Cusp, 0.0, "gradient of weight is not finite, the losses are", id="gradients"),
        pytest.param(Matcher, 1.0, "the costs of image 0", id="on the way to the losses"),
    ],
)
def test_numbers_that_are_not_finite_stop_the_step_and_leave_all_as_it_was(
    network: type[Slope], value: float, problem: str
) -> None:
    state = _state(network)
    batch = _batch(value)

    with pytest.raises(FailedStepError, match=problem) as caught:
        train_step(state, batch, 0.25, seed=0)

    assert caught.value.batch is batch
    assert state.step == 0
    assert float(state.network.weight.sum()) == 1.0
    assert state.ema is not None
    assert state.ema.num_updates == 0


def test_a_gradient_that_overflows_when_squared_is_finite() -> None:
    state = _state()

    train_step(state, _batch(1e15), 0.0, seed=0)  # its gradient is 2e30

    assert state.step == 1


def test_nothing_of_a_failed_step_is_left_in_the_next_one() -> None:
    state = _state(Cusp)

    with pytest.raises(FailedStepError):
        train_step(state, _batch(0.0), 0.5, seed=0)
    train_step(state, _batch(1.0), 0.5, seed=0)

    assert float(state.network.weight.sum()) == 0.75  # 1 - 0.5 / 2


def test_a_failed_step_leaves_the_statistics_of_norms() -> None:
    state = _state(Normed)
    train_step(state, _batch(1.0), 0.25, seed=0)
    before = {name: tensor.numpy() for name, tensor in state.network.state_dict().items()}
    assert "norm._mean" in before

    with pytest.raises(FailedStepError):
        train_step(state, _batch(math.inf), 0.25, seed=0)

    for name, tensor in state.network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name], err_msg=name)
