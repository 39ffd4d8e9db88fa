"""Time and memory of a training step, phase by phase, beside its forward pass.

    python benchmarks/training_step.py --model Mask-RT-DETR-S
    python benchmarks/training_step.py --size 320 --steps 2 --output /tmp/step.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import assigned_masks
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
from step_phases import Phases

from segtune import processor
from segtune.data.collate import Batch, collate
from segtune.data.dataset import Sample
from segtune.recipe import Recipe
from segtune.recipe_files import load_recipe
from segtune.zoo import ModelSpec, build_model, find_spec

if TYPE_CHECKING:
    from segtune.training.loop import TrainingState

NUM_CLASSES, WARM_UP_STEPS = 80, 2
MASKS_MEASURED = ("PP-YOLOE_seg",)  # families whose masks are a question of their own
COLUMNS = {
    "phase": "phase",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "times the forward pass": "times_forward",
    "peak memory by then (MB)": "peak_memory_mb",
}


def draw_batch(spec: ModelSpec, size: int, num_images: int, num_objects: int) -> Batch:
    """Return noise with ellipses as instances, from seed 0; each 5 to 18 % of a side in radius."""
    rng = np.random.default_rng(0)
    samples = [
        draw_sample(rng, size, num_objects, spec.mask_stride, image) for image in range(num_images)
    ]
    return collate(samples, spec.preprocess)


def draw_sample(
    rng: np.random.Generator, size: int, num_objects: int, stride: int, image_id: int
) -> Sample:
    """Return one image of such a batch."""
    centres = rng.uniform(0.2, 0.8, (num_objects, 2)) * size  # x, y
    radii = rng.uniform(0.05, 0.18, (num_objects, 2)) * size
    rows, columns = np.mgrid[0:size:stride, 0:size:stride]
    across = (columns - centres[:, 0, None, None]) / radii[:, 0, None, None]
    down = (rows - centres[:, 1, None, None]) / radii[:, 1, None, None]
    return Sample(
        image=rng.integers(0, 256, (size, size, 3), np.uint8),
        boxes=np.concatenate([centres - radii, centres + radii], axis=1).astype(np.float32),
        labels=rng.integers(0, NUM_CLASSES, num_objects),
        masks=(across**2 + down**2 <= 1).astype(np.uint8),
        mask_stride=stride,
        image_id=image_id,
    )


def recipe_of(spec: ModelSpec) -> Recipe:
    """Return the fine-tuning recipe of a model."""
    if spec.recipe is None:
        raise SystemExit(f"{spec.name} has no recipe")
    return load_recipe(spec.recipe)


def open_state(spec: ModelSpec, recipe: Recipe) -> TrainingState:
    """Return a network with random weights, and all that trains it as the recipe says.

    The weights are those of the parity tests, since with others a frozen backbone overflows.
    """
    network = build_model(spec.name, NUM_CLASSES)
    from segtune.models.frozen import thaw
    from segtune.training.ema import Ema
    from segtune.training.loop import TrainingState
    from segtune.training.optimizer import build_optimizer
    from tests.parity.stored import give_stored_weights
    from tests.peers.test_paddlex import GAINS

    give_stored_weights(network, GAINS[spec.family])
    if recipe.freeze == "nothing":
        thaw(network)
    optimizer = build_optimizer(network, recipe.optimizer)
    return TrainingState(network, optimizer, Ema(network, recipe.ema))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of the phases and the sizes of assigned masks, measured in this process."""
    spec = find_spec(options.model)
    recipe = recipe_of(spec)
    state = open_state(spec, recipe)
    from segtune.training.loop import train_step

    batch = draw_batch(spec, options.size, options.batch, options.objects)
    state.network.train()
    rate = recipe.optimizer.lr / 10  # as in the warm-up of a run
    phases, whole = Phases(state, spec.family), []

    def step() -> None:
        phases.begin_step()
        train_step(state, batch, rate, seed=0)

    for _ in range(WARM_UP_STEPS + options.steps):
        start = time.perf_counter()
        step()
        whole.append(time.perf_counter() - start)
    rows = [
        {"phase": phase, **spread_ms(times[WARM_UP_STEPS:]), "peak_memory_mb": phases.peaks[phase]}
        for phase, times in phases.seconds.items()
    ]
    times, peak = whole[WARM_UP_STEPS:], peak_memory_mb()
    rows.append({"phase": "whole step", **spread_ms(times), "peak_memory_mb": peak})
    masks = {}
    if spec.family in MASKS_MEASURED:
        masks = assigned_masks.measure_masks(step, state.network, options.batch)
    return {"rows": rows, "masks": masks}


def as_rows(measured: dict[str, Any], options: argparse.Namespace) -> list[Row]:
    """Return what was measured as rows of the CSV."""
    around = {
        "model": options.model,
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
    parser.add_argument("--model", default="PP-YOLOE_seg-S", help="one of `segtune models`")
    parser.add_argument("--size", type=int, default=640, help="side of the network's input")
    parser.add_argument("--batch", type=int, default=2, help="images a step")
    parser.add_argument("--objects", type=int, default=6, help="instances an image")
    parser.add_argument("--steps", type=int, default=10, help="timed steps, after two others")
    parser.add_argument("--threads", type=int, default=processor.usable_cores())
    parser.add_argument("--output", type=Path, help="default: results/training_step_<recipe>.csv")
    parser.add_argument("--here", action="store_true", help="measure here, and print JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options)))
        return
    recipe = Path(str(find_spec(options.model).recipe)).stem
    threads = str(options.threads)
    measured = run_apart([__file__, *sys.argv[1:], "--here"], OMP_NUM_THREADS=threads)
    rows = as_rows(measured, options)
    write_csv(options.output or RESULTS / f"training_step_{recipe}.csv", rows)
    print_markdown(rows, COLUMNS)
    if measured["masks"]:
        print()
        print_markdown(rows[:1], assigned_masks.COLUMNS)


if __name__ == "__main__":
    main()
