"""Time and memory of a training step, phase by phase, beside its forward pass.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --size 320 --steps 2 --output /tmp/step.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from machine import (
    RESULTS,
    Row,
    peak_memory_mb,
    print_markdown,
    run_apart,
    spread_ms,
    surroundings,
    write_csv,
)

from segtune import processor
from segtune.data.collate import Batch
from segtune.recipe import Recipe
from segtune.recipe_files import load_recipe
from segtune.zoo import build_model

if TYPE_CHECKING:
    from paddle import Tensor

    from segtune.training.loop import TrainingState

MODEL, RECIPE = "PP-YOLOE_seg-S", "pp_yoloe_seg_s"
NUM_CLASSES, WARM_UP_STEPS = 80, 2
FLOAT_MB = 4 / 2**20  # of a float32
PHASES = ("batch to tensors", "forward", "losses", "backward", "optimizer", "averages")
COLUMNS = {
    "phase": "phase",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "times the forward pass": "times_forward",
    "peak memory by then (MB)": "peak_memory_mb",
}
MASK_COLUMNS = {
    "positives an image": "positives_per_image",
    "assigned masks (MB an image)": "assigned_masks_mb_per_image",
    "largest tensor (MB)": "largest_mask_tensor_mb",
}


def draw_batch(size: int, num_images: int, num_objects: int, stride: int) -> Batch:
    """Return noise with ellipses as instances, from seed 0; each 5 to 18 % of a side in radius."""
    rng = np.random.default_rng(0)
    shape = (num_images, num_objects)
    centres = rng.uniform(0.2, 0.8, (*shape, 2)) * size  # x, y
    radii = rng.uniform(0.05, 0.18, (*shape, 2)) * size
    rows, columns = np.mgrid[0:size:stride, 0:size:stride]
    across = (columns - centres[..., 0, None, None]) / radii[..., 0, None, None]
    down = (rows - centres[..., 1, None, None]) / radii[..., 1, None, None]
    return Batch(
        images=rng.random((num_images, 3, size, size), np.float32),
        boxes=np.concatenate([centres - radii, centres + radii], axis=2).astype(np.float32),
        labels=rng.integers(0, NUM_CLASSES, shape),
        masks=(across**2 + down**2 <= 1).astype(np.uint8),
        valid=np.ones(shape, np.bool_),
        image_ids=list(range(num_images)),
    )


class Phases:
    """Times a step from inside: a phase ends where a function of the step begins or ends.

    Attributes:
        seconds: Of every step, by phase.
        peaks: Most resident memory of the process in MB up to the first end of a phase; Paddle
            keeps the memory that it has once taken, so that later steps would not tell them apart.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {phase: [] for phase in PHASES}
        self.peaks: dict[str, int] = {}

    def begin(self) -> None:
        """Start the clock of the first phase."""
        self._since = time.perf_counter()

    def end(self, phase: str) -> None:
        """Keep time and memory of a phase, and start the clock of the next one."""
        self.seconds[phase].append(time.perf_counter() - self._since)
        self.peaks.setdefault(phase, peak_memory_mb())
        self.begin()

    def watch(self, owner: Any, name: str, *, before: str = "", after: str = "") -> None:
        """End the phase `before` where `owner.name` is called, and `after` where it returns."""
        function = getattr(owner, name)

        def watched(*arguments: Any) -> Any:
            if before:
                self.end(before)
            result = function(*arguments)
            if after:
                self.end(after)
            return result

        setattr(owner, name, watched)


def open_state(recipe: Recipe) -> TrainingState:
    """Return a network with random weights, and all that trains it."""
    network = build_model(MODEL, NUM_CLASSES)
    from segtune.training.ema import Ema
    from segtune.training.loop import TrainingState
    from segtune.training.optimizer import build_optimizer

    optimizer = build_optimizer(network, recipe.optimizer)
    return TrainingState(network, optimizer, Ema(network, recipe.ema))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of the phases and the sizes of the mask loss, measured in this process."""
    recipe = load_recipe(RECIPE)
    state = open_state(recipe)
    from segtune.training.loop import train_step

    batch = draw_batch(options.size, options.batch, options.objects, state.network.mask_stride)
    state.network.train()
    rate = recipe.optimizer.lr / 10  # as in the warm-up of a run

    def step() -> None:
        train_step(state, batch, rate, seed=0)

    phases, whole = Phases(), []
    phases.watch(state.network, "losses", before="batch to tensors", after="losses")
    phases.watch(state.network.yolo_head, "raw", after="forward")
    phases.watch(state.optimizer, "step", before="backward")
    phases.watch(state.ema, "update", before="optimizer", after="averages")
    for _ in range(WARM_UP_STEPS + options.steps):
        start = time.perf_counter()
        phases.begin()
        step()
        whole.append(time.perf_counter() - start)
    rows = [
        {"phase": phase, **spread_ms(times[WARM_UP_STEPS:]), "peak_memory_mb": phases.peaks[phase]}
        for phase, times in phases.seconds.items()
    ]
    times, peak = whole[WARM_UP_STEPS:], peak_memory_mb()
    rows.append({"phase": "whole step", **spread_ms(times), "peak_memory_mb": peak})
    return {"rows": rows, "masks": measure_masks(step, state, options.batch)}


def measure_masks(step: Callable[[], object], state: TrainingState, num_images: int) -> Row:
    """Run one step and return how much memory its assigned masks take.

    Every instance brings its logits (positives, cells of its box), and for each of the cells a
    row of prototypes and a value of the bitmap, all float32.
    """
    from segtune.models.ppyoloe_seg import mask_loss

    loss_of_instance = mask_loss._summed_cross_entropy
    logit_shapes = []

    def recorded(logits: Tensor, bitmap: Tensor) -> Tensor:
        logit_shapes.append(logits.shape)
        return loss_of_instance(logits, bitmap)

    with mock.patch.object(mask_loss, "_summed_cross_entropy", recorded):
        step()
    positives, cells = np.asarray(logit_shapes).T
    prototypes_mb = cells.sum() * state.network.yolo_head.pred_ins[0].weight.shape[0] * FLOAT_MB
    logits_mb = positives * cells * FLOAT_MB
    assigned_mb = prototypes_mb + cells.sum() * FLOAT_MB + logits_mb.sum()
    return {
        "positives_per_image": round(float(positives.sum() / num_images), 1),
        "assigned_masks_mb_per_image": round(float(assigned_mb / num_images), 2),
        "largest_mask_tensor_mb": round(float(max(prototypes_mb, logits_mb.max())), 2),
    }


def as_rows(measured: dict[str, Any], options: argparse.Namespace) -> list[Row]:
    """Return what was measured as rows of the CSV."""
    around = {
        "model": MODEL,
        "input_hw": f"{options.size}x{options.size}",
        "batch_size": options.batch,
        "objects_per_image": options.objects,
        "precision": "float32",
        "threads": options.threads,
        **measured["masks"],
        **surroundings("paddlepaddle", "numpy", "opencv-python-headless"),
    }
    (forward_ms,) = (row["median_ms"] for row in measured["rows"] if row["phase"] == "forward")
    return [
        {**row, "times_forward": round(row["median_ms"] / forward_ms, 3), **around}
        for row in measured["rows"]
    ]


def main() -> None:
    """Measure a step and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=640, help="side of the network's input")
    parser.add_argument("--batch", type=int, default=2, help="images a step")
    parser.add_argument("--objects", type=int, default=6, help="instances an image")
    parser.add_argument("--steps", type=int, default=10, help="timed steps, after two others")
    parser.add_argument("--threads", type=int, default=processor.usable_cores())
    parser.add_argument("--output", type=Path, default=RESULTS / "training_step.csv")
    parser.add_argument("--here", action="store_true", help="measure here, and print JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options)))
        return
    threads = str(options.threads)
    measured = run_apart([__file__, *sys.argv[1:], "--here"], OMP_NUM_THREADS=threads)
    rows = as_rows(measured, options)
    write_csv(options.output, rows)
    print_markdown(rows, COLUMNS)
    print()
    print_markdown(rows[:1], MASK_COLUMNS)


if __name__ == "__main__":
    main()
