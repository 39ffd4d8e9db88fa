import numpy as np
import paddle
import pytest

from segtune.data.collate import Batch
from segtune.errors import TrainingError
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.progress import SilentTask
from segtune.recipe import EmaRecipe, OptimizerRecipe
from segtune.training.ema import Ema
from segtune.training.loop import TrainingState, train_epoch, train_step
from segtune.training.optimizer import build_optimizer


class Slope(InstanceSegmenter):
    """Learns to answer 0 for the mean of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([1])
        self.weight.set_value(paddle.ones([1]))

    def losses(self, images: paddle.Tensor, targets: Targets) -> dict[str, paddle.Tensor]:
        answer = (self.weight * images.mean()).sum()
        return {"loss": answer**2, "loss_mask": answer.abs()}


def _state() -> TrainingState:
    network = Slope()
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
        image_ids=[7],
    )


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


def test_a_loss_that_is_not_finite_stops_with_the_images_and_leaves_the_weights() -> None:
    state = _state()

    with pytest.raises(TrainingError, match="loss, loss_mask is not finite") as caught:
        train_step(state, _batch(float("nan")), 0.25, seed=0)

    assert caught.value.where == "step 0, images 7"
    assert float(state.network.weight.sum()) == 1.0
