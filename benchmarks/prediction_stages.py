"""Time and memory of the stages of a prediction: read, preprocess, network, postprocess.

    python benchmarks/prediction_stages.py --model runs/fruits-1 --images photos
    python benchmarks/prediction_stages.py --model runs/fruits-1 --images photos \
        --size 320 --num-images 2 --repeats 1 --output /tmp/stages.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import (
    RESULTS,
    Row,
    forget_peak,
    peak_memory_mb,
    present_memory_mb,
    print_markdown,
    run_apart,
    spread_ms,
    surroundings,
    write_csv,
)
from network_outputs import LARGE_HW, Prepared, load_outputs, prepare
from numpy.typing import NDArray

from segtune import processor
from segtune.bundle import read_info
from segtune.images import list_images, read_image
from segtune.instances import Instances
from segtune.outputs import Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.predictor import Backend, Predictor
from segtune.preprocess import Geometry
from segtune.sources import open_predictor

ONEDNN, DYGRAPH = "network, oneDNN", "network, dygraph"
LARGE_SUFFIX = f" of {LARGE_HW[1]} x {LARGE_HW[0]}"
THRESHOLDS = {"postprocess, above 0.5": 0.5, "postprocess, above 0.0": 0.0}  # predict, evaluate
ALL_STAGES = {"all of these, above 0.5": 0.5, "all of these, above 0.0": 0.0}
STAGES = (
    "read_image",
    "preprocess",
    ONEDNN,
    DYGRAPH,
    *THRESHOLDS,
    *ALL_STAGES,
    *(stage + LARGE_SUFFIX for stage in THRESHOLDS),
)
COLUMNS = {
    "stage": "stage",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "share of the network's time": "share_of_network",
    "instances an image": "instances",
    "peak memory (MB)": "peak_memory_mb",
    "added by a call (MB)": "added_peak_memory_mb",
}


def measure(stage: str, prepared: Prepared, repeats: int) -> Row:
    """Return time and memory of one stage, measured in this process."""
    info = read_info(Path(prepared.bundle))
    spec, frame = info.preprocess, info.mask_frame

    def read_photo(file: str) -> NDArray[np.uint8]:
        return read_image(Path(file))

    def read_input(file: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        array, geometry = spec.apply(read_photo(file))
        return array[None], np.asarray([geometry.resized_hw], np.float32)

    def postprocess(given: tuple[Outputs, Geometry], threshold: float) -> Instances:
        outputs, geometry = given
        (rows,) = split_rows(outputs)
        return instances_of(rows, geometry, mask_frame=frame, threshold=threshold)

    def predict(file: str, predictor: Predictor, threshold: float) -> Instances:
        return next(predictor.predict([read_photo(file)], threshold=threshold))

    photos = prepared.images
    if stage == "read_image":
        return _measure(read_image, Path, photos, repeats)
    if stage == "preprocess":
        return _measure(spec.apply, read_photo, photos, repeats)
    if stage in (ONEDNN, DYGRAPH):
        backend = _open_backend(stage, prepared)
        return _measure(lambda inputs: backend.run(*inputs), read_input, photos, repeats)
    if stage in ALL_STAGES:
        predictor = open_predictor(prepared.bundle)
        whole = partial(predict, predictor=predictor, threshold=ALL_STAGES[stage])
        return _measure(whole, str, photos, repeats)
    run = partial(postprocess, threshold=THRESHOLDS[stage.removesuffix(LARGE_SUFFIX)])
    files = [prepared.large_outputs] if stage.endswith(LARGE_SUFFIX) else prepared.outputs
    return _measure(run, load_outputs, files, repeats)


def _open_backend(stage: str, prepared: Prepared) -> Backend:
    if stage == ONEDNN:
        return open_predictor(prepared.bundle).backend
    return open_predictor(str(prepared.checkpoint)).backend


def _measure(
    call: Callable[[Any], Any], load: Callable[[Any], Any], files: list[str], repeats: int
) -> Row:
    """Measure `call` on what `load` makes of each file; two calls warm up, but for memory."""
    seconds, peaks, added, counts = [], [], [], []
    for file in [files[0]] * 2 + files * repeats:
        given = load(file)
        forget_peak()
        before = present_memory_mb()
        start = time.perf_counter()
        result = call(given)
        seconds.append(time.perf_counter() - start)
        peaks.append(peak_memory_mb())
        added.append(peaks[-1] - before)
        if isinstance(result, Instances):
            counts.append(len(result))
        del given, result
    return {
        **spread_ms(seconds[2:]),
        "instances": round(float(np.mean(counts[2:])), 1) if counts else "",
        "peak_memory_mb": max(peaks),
        "added_peak_memory_mb": max(added),
    }


def measure_all(options: argparse.Namespace, work: str) -> list[Row]:
    """Return the row of every stage, each measured in a process of its own."""
    threads = str(options.threads)

    def apart(stage: str) -> Row:
        own = ["--stage", stage, "--work", work]
        return run_apart([__file__, *sys.argv[1:], *own], OMP_NUM_THREADS=threads)

    prepared = apart("prepare")
    around = {
        "model": read_info(Path(prepared["bundle"])).model_name,
        "input_hw": f"{options.size}x{options.size}",
        "batch_size": 1,
        "precision": "float32",
        "threads": threads,
        "images": len(prepared["images"]),
        **surroundings("paddlepaddle", "numpy", "opencv-python-headless", "pycocotools"),
    }
    # A bundle holds no network that dygraph could run.
    stages = [s for s in STAGES if s != DYGRAPH or prepared["checkpoint"] is not None]
    measured = {stage: apart(stage) for stage in stages}
    network_ms = measured[ONEDNN]["median_ms"]
    return [
        {
            "stage": stage,
            **row,
            "share_of_network": f"{row['median_ms'] / network_ms:.1%}",
            **around,
        }
        for stage, row in measured.items()
    ]


def main() -> None:
    """Measure every stage and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="a run, a checkpoint, or a bundle")
    parser.add_argument("--images", required=True, help="a folder of photographs")
    parser.add_argument("--size", type=int, default=640, help="side of the network's input")
    parser.add_argument("--num-images", type=int, default=16, help="at most so many photographs")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=processor.usable_cores())
    parser.add_argument("--output", type=Path, default=RESULTS / "prediction_stages.csv")
    parser.add_argument("--stage", help="prepare or measure this here, and print JSON")
    parser.add_argument("--work", type=Path, help="with --stage: what the stages share")
    options = parser.parse_args()
    if options.stage == "prepare":
        images = list_images(options.images)[: options.num_images]
        prepared = prepare(options.model, images, options.size, options.work)
        (options.work / "prepared.json").write_text(json.dumps(prepared))
        print(json.dumps(prepared._asdict()))
    elif options.stage:
        prepared = Prepared(*json.loads((options.work / "prepared.json").read_text()))
        print(json.dumps(measure(options.stage, prepared, options.repeats)))
    else:
        with tempfile.TemporaryDirectory() as work:
            rows = measure_all(options, work)
        write_csv(options.output, rows)
        print_markdown(rows, COLUMNS)


if __name__ == "__main__":
    main()
