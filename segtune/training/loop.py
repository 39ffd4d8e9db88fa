"""The training loop: one step written out in order, one epoch of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import paddle
import psutil

from segtune.data.collate import Batch
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.progress import Task
from segtune.training.ema import Ema
from segtune.training.finite import refuse_odd_gradients, refuse_odd_losses, values_of
from segtune.training.seed import seed_step


@dataclass
class TrainingState:
    """Everything that a step changes.

    Attributes:
        network: The raw weights.
        optimizer: Momentum or moments of them.
        ema: Their averages; None when averaging is off.
        epoch: Finished epochs.
        step: Finished steps, over all epochs.
        loss_sums: Sum of every loss over the finished steps of the present epoch.
        history: One row of figures for each finished epoch.
        best_metric: Largest mask AP so far.
    """

    network: InstanceSegmenter
    optimizer: paddle.optimizer.Optimizer
    ema: Ema | None
    epoch: int = 0
    step: int = 0
    loss_sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best_metric: float | None = None


class FailedStepError(Exception):
    """A step whose numbers are not finite; it has left everything as it was before.

    Args:
        problem: One sentence without a final stop.
        batch: What the step was to learn from.
    """

    def __init__(self, problem: str, batch: Batch) -> None:
        super().__init__(problem)
        self.problem = problem
        self.batch = batch


def train_epoch(
    state: TrainingState,
    batches: Iterable[Batch],
    *,
    rate_of: Callable[[int], float],
    seed: int,
    task: Task,
    stop_asked: Callable[[], bool],
) -> bool:
    """Train on the batches that are left of an epoch; return False when a stop was asked for.

    Args:
        state: Changed by every step.
        batches: From the first step of the epoch that is not finished.
        rate_of: Learning rate of a step, counted over all epochs.
        seed: Of the run.
        task: Advanced by every step.
        stop_asked: Looked at after every step.

    Raises:
        FailedStepError: A loss or a gradient is not finite.
    """
    state.network.train()
    started = time.monotonic()
    for batch in batches:
        rate = rate_of(state.step)
        losses = train_step(state, batch, rate, seed)
        for name, value in losses.items():
            state.loss_sums[name] = state.loss_sums.get(name, 0.0) + value
        now = time.monotonic()
        task.advance(
            loss=f"{losses['loss']:.3f}",
            lr=f"{rate:.2g}",
            speed=f"{len(batch.image_ids) / (now - started):.1f} img/s",
            memory=f"{psutil.Process().memory_info().rss / 1e9:.1f} GB",
        )
        started = now
        if stop_asked():
            return False
    return True


def train_step(state: TrainingState, batch: Batch, rate: float, seed: int) -> dict[str, float]:
    """Update the weights once and return the losses of the batch.

    Raises:
        FailedStepError: A loss or a gradient is not finite.
    """
    statistics = _norm_statistics(state.network)
    try:
        losses = batch_losses(state.network, batch, seed=seed, step=state.step)
        values = values_of(losses)
        refuse_odd_losses(values)
        losses["loss"].backward()
        refuse_odd_gradients(state.network)
    except FloatingPointError as error:
        _restore(state.network, statistics)
        state.optimizer.clear_grad()
        raise FailedStepError(str(error), batch) from error
    state.optimizer.set_lr(rate)
    state.optimizer.step()
    state.optimizer.clear_grad()
    if state.ema is not None:
        state.ema.update()
    state.step += 1
    return values


def batch_losses(
    network: InstanceSegmenter, batch: Batch, *, seed: int, step: int
) -> dict[str, paddle.Tensor]:
    """Return the losses of a batch as the given step of a run computes them.

    Raises:
        FloatingPointError: The network met numbers that are not finite on its way.
    """
    seed_step(seed, step)
    images, targets = to_tensors(batch)
    return network.losses(images, targets)


def to_tensors(batch: Batch) -> tuple[paddle.Tensor, Targets]:
    """Return a batch of arrays as tensors on the present device."""
    return paddle.to_tensor(batch.images), Targets(
        boxes=paddle.to_tensor(batch.boxes),
        labels=paddle.to_tensor(batch.labels),
        masks=paddle.to_tensor(batch.masks),
        valid=paddle.to_tensor(batch.valid),
        sizes_hw=paddle.to_tensor(batch.sizes_hw),
    )


def _norm_statistics(network: InstanceSegmenter) -> dict[str, paddle.Tensor]:
    """Return copies of all that computing losses changes in a network, by name."""
    return {
        name: tensor.clone()
        for name, tensor in network.state_dict().items()
        if name.endswith(("._mean", "._variance"))
    }


def _restore(network: InstanceSegmenter, tensors: Mapping[str, paddle.Tensor]) -> None:
    """Give some of a network's tensors their former values."""
    own = network.state_dict()
    for name, tensor in tensors.items():
        own[name].set_value(tensor)
