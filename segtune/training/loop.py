"""The training loop: one step written out in order, one epoch of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import paddle
import psutil

from segtune.data.collate import Batch
from segtune.errors import TrainingError
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.progress import Task
from segtune.training.ema import Ema
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
        TrainingError: A loss is not finite.
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
    """Update the weights once and return the losses of the batch. Raises TrainingError."""
    seed_step(seed, state.step)
    images, targets = to_tensors(batch)
    losses = state.network.losses(images, targets)
    values = _finite_values(losses, batch, state.step)
    losses["loss"].backward()
    state.optimizer.set_lr(rate)
    state.optimizer.step()
    state.optimizer.clear_grad()
    if state.ema is not None:
        state.ema.update()
    state.step += 1
    return values


def to_tensors(batch: Batch) -> tuple[paddle.Tensor, Targets]:
    """Return a batch of arrays as tensors on the present device."""
    return paddle.to_tensor(batch.images), Targets(
        boxes=paddle.to_tensor(batch.boxes),
        labels=paddle.to_tensor(batch.labels),
        masks=paddle.to_tensor(batch.masks),
        valid=paddle.to_tensor(batch.valid),
    )


def _finite_values(losses: dict[str, paddle.Tensor], batch: Batch, step: int) -> dict[str, float]:
    flat = paddle.stack([value.reshape([]) for value in losses.values()]).numpy()
    values = {name: float(value) for name, value in zip(losses, np.asarray(flat), strict=True)}
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        raise TrainingError(
            f"{', '.join(odd)} is not finite",
            where=f"step {step}, images {', '.join(map(str, batch.image_ids))}",
            remedy="lower optimizer.lr, set optimizer.clip_norm, or lengthen the warm-up",
        )
    return values
