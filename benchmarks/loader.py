"""Images per second of the training loader, beside those of decoding alone, with peak memory.

    python benchmarks/loader.py                     # drawn scenes of 480 x 640
    python benchmarks/loader.py --root my/dataset   # any dataset in the usual layout

Method: every row is measured in a process of its own, so that its peak memory is its own. A pass
takes the images of the training split in turn, at least 64 of them; one pass warms up, five are
timed. A row has their median, lowest and highest rate, and the processor time of an image over
all processes, which says more than the rate when others use the machine.

`decode` reads pictures and nothing else; `preprocess` also resizes and normalises them as for
prediction; `transfer` sends a finished sample from another process to this one; `loader-N` gives
collated batches of 8 at 640 x 640 with the augmentation of the default recipe, mask stride 4 and
N workers. Start-up of the workers is not timed. OpenCV and OpenMP use one thread everywhere. The
consumer of the batches does nothing: with two workers on two cores the loader has the machine to
itself, which it does not have in training.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import psutil
from machine import RESULTS, peak_memory_mb, run_apart, surroundings, write_csv

from segtune.data.coco import CocoDataset, read_coco
from segtune.data.dataset import TrainingSet
from segtune.data.loader import BatchLoader
from segtune.images import read_image
from segtune.preprocess import PreprocessSpec
from segtune.recipe import AugmentRecipe
from segtune.scenes.dataset import draw_dataset

METHODS = ("decode", "preprocess", "transfer", "loader-0", "loader-1", "loader-2")
BATCH_SIZE, MASK_STRIDE, NUM_PASSES = 8, 4, 5
SPEC = PreprocessSpec()


def measure(method: str, dataset: CocoDataset) -> dict[str, object]:
    """Return rate, processor time and memory of one method, measured in this process."""
    cv2.setNumThreads(0)
    training_set = TrainingSet(dataset, SPEC, AugmentRecipe(), mask_stride=MASK_STRIDE, seed=0)
    num_images = -(-max(64, len(dataset.images)) // BATCH_SIZE) * BATCH_SIZE
    if method.startswith("loader-"):
        # The split is repeated, so that a small one gives a pass of full batches.
        repeated = dataset.images * -(-num_images // len(dataset.images))
        training_set.records = repeated[:num_images]
        workers = int(method.removeprefix("loader-"))
        with BatchLoader(training_set, batch_size=BATCH_SIZE, seed=0, workers=workers) as loader:
            return _timed(
                lambda turn: sum(1 for _ in loader.epoch(turn)), num_images, loader.worker_pids
            )
    if method == "transfer":
        return _measure_transfer(training_set, num_images)
    paths = [record.path for record in dataset.images]

    def read_all(turn: int) -> None:
        for k in range(num_images):
            image = read_image(paths[k % len(paths)])
            if method == "preprocess":
                SPEC.apply(image)

    return _timed(read_all, num_images, [])


def _measure_transfer(training_set: TrainingSet, num_images: int) -> dict[str, object]:
    """Measure how fast samples come through a pipe; the other side pickles one over and over."""
    program = (
        "import pickle, sys; sample = pickle.load(sys.stdin.buffer)\n"
        "while sys.stdin.buffer.readline():\n"
        f"    for _ in range({num_images}): pickle.dump(sample, sys.stdout.buffer, protocol=5)\n"
        "    sys.stdout.flush()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def receive(turn: int) -> None:
            requests.write(b"\n")
            requests.flush()
            for _ in range(num_images):
                pickle.load(answers)

        pickle.dump(training_set.sample(0, 0), requests)
        return _timed(receive, num_images, [process.pid])


def _timed(
    one_pass: Callable[[int], object], num_images: int, worker_pids: list[int]
) -> dict[str, object]:
    one_pass(0)
    rates, cpu_ms = [], []
    for turn in range(1, NUM_PASSES + 1):
        start, cpu_start = time.perf_counter(), _cpu_s(worker_pids)
        one_pass(turn)
        rates.append(num_images / (time.perf_counter() - start))
        cpu_ms.append(1000 * (_cpu_s(worker_pids) - cpu_start) / num_images)
    return {
        "images_per_s_median": round(statistics.median(rates), 1),
        "images_per_s_min": round(min(rates), 1),
        "images_per_s_max": round(max(rates), 1),
        "cpu_ms_per_image_median": round(statistics.median(cpu_ms), 2),
        "peak_memory_mb": peak_memory_mb(),
        "peak_memory_per_worker_mb": max(map(peak_memory_mb, worker_pids), default=0),
    }


def _cpu_s(worker_pids: list[int]) -> float:
    """Return the processor time that this process and its workers have used so far."""
    times = [psutil.Process(pid).cpu_times() for pid in (os.getpid(), *worker_pids)]
    return sum(used.user + used.system for used in times)


def _surroundings(dataset: CocoDataset, name: str) -> dict[str, object]:
    sizes = sorted({record.size_hw for record in dataset.images})
    return {
        "dataset": name,
        "images": len(dataset.images),
        "instances": dataset.num_instances,
        "largest_hw": "x".join(map(str, sizes[-1])),
        "input_hw": "x".join(map(str, SPEC.size_hw)),
        "batch_size": BATCH_SIZE,
        **surroundings("opencv-python-headless", "albumentations", "numpy"),
    }


def _read(root: Path) -> CocoDataset:
    return read_coco(root / "annotations" / "instance_train.json", root / "images")


def main() -> None:
    """Measure every method and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="a dataset; default: 32 drawn scenes")
    parser.add_argument("--output", type=Path, default=RESULTS / "loader.csv")
    parser.add_argument("--method", choices=METHODS, help="measure this here, and print JSON")
    options = parser.parse_args()
    if options.method:
        print(json.dumps(measure(options.method, _read(options.root))))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or draw_dataset(
            Path(folder) / "scenes", num_images=40, size_hw=(480, 640)
        )
        rows = []
        for method in METHODS:
            measured = run_apart(
                [__file__, "--root", str(root), "--method", method], OMP_NUM_THREADS="1"
            )
            name = options.root.name if options.root else "drawn scenes"
            around = _surroundings(_read(root), name)
            rows.append({"method": method, **measured, **around})
            print(method, rows[-1]["images_per_s_median"], "images/s")
    write_csv(options.output, rows)


if __name__ == "__main__":
    main()
