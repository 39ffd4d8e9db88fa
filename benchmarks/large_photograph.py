"""Memory and time of a prediction on a large photograph, and its masks beside the slow form's.

    python benchmarks/large_photograph.py --image PHOTO
    python benchmarks/large_photograph.py --size-hw 600 800 --instances 20 \
        --output /tmp/large.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from machine import (
    RESULTS,
    Row,
    peak_memory_mb,
    present_memory_mb,
    print_markdown,
    run_apart,
    spread_ms,
    surroundings,
    write_csv,
)
from numpy.typing import NDArray
from random_bundle import between, write_random_bundle

from segtune import processor
from segtune.bundle import read_info
from segtune.images import read_image, write_image
from segtune.instances import Instances
from segtune.masks import decode
from segtune.outputs import MaskFrame
from segtune.preprocess import PreprocessSpec
from segtune.sources import open_predictor

PREPARED = "prepared.json"
COLUMNS = {
    "photograph": "image_hw",
    "instances": "instances",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "peak memory (MB)": "peak_memory_mb",
    "before the photograph (MB)": "opened_memory_mb",
    "smallest mask IoU with the slow form": "min_mask_iou",
}


def prepare(options: argparse.Namespace) -> Row:
    """Write bundle and photograph, and choose the threshold that leaves as many as are wanted."""
    bundle, photo = options.work / "bundle", options.work / "photo.jpg"
    write_random_bundle(options.model, bundle)
    write_image(photo, photograph(options.image, tuple(options.size_hw)))
    (found,) = open_predictor(str(bundle)).predict([read_image(photo)], threshold=0.0)
    return {
        "bundle": str(bundle),
        "photo": str(photo),
        "threshold": between(found.scores, options.instances),
    }


def photograph(path: Path | None, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture, or smooth noise where none is given, enlarged with cubic interpolation."""
    small = (
        np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
        if path is None
        else read_image(path)
    )
    return PreprocessSpec(size_hw=size_hw).resize(small)


def measure(prepared: Row, repeats: int) -> Row:
    """Return time and memory of predictions from the file on; this process does nothing else."""
    predictor = open_predictor(prepared["bundle"])
    opened_mb, seconds = present_memory_mb(), []
    for _ in range(1 + repeats):  # the first one warms up, but for memory
        start = time.perf_counter()
        image = read_image(Path(prepared["photo"]))
        (found,) = predictor.predict([image], threshold=prepared["threshold"])
        seconds.append(time.perf_counter() - start)
    return {
        "instances": len(found),
        **spread_ms(seconds[1:]),
        "peak_memory_mb": peak_memory_mb(),
        "opened_memory_mb": opened_mb,
    }


def compare(prepared: Row) -> Row:
    """Return how the masks agree with the slow form's: every map enlarged to the whole image."""
    predictor = open_predictor(prepared["bundle"])
    image = read_image(Path(prepared["photo"]))
    (found,) = predictor.predict([image], threshold=prepared["threshold"])
    return {"min_mask_iou": round(min(overlaps(found, enlarged_masks(prepared, found))), 6)}


def enlarged_masks(prepared: Row, found: Instances) -> Iterator[NDArray[np.bool_]]:
    """Yield the masks (H, W) of the rows with the highest scores, as the reference makes them."""
    info = read_info(Path(prepared["bundle"]))
    if info.mask_frame is not MaskFrame.INPUT_UNCUT:
        raise SystemExit(f"the slow form of {info.model_name}'s masks is another one")
    array, geometry = info.preprocess.apply(read_image(Path(prepared["photo"])))
    backend = open_predictor(prepared["bundle"]).backend
    outputs = backend.run(array[None], np.asarray([geometry.resized_hw], np.float32))
    order = np.argsort(-outputs.scores, kind="stable")[: len(found)]
    np.testing.assert_array_equal(outputs.scores[order], found.scores)
    for row in order:
        size = found.size_hw[::-1]
        logits = cv2.resize(outputs.mask_logits[row], size, interpolation=cv2.INTER_LINEAR)
        yield np.asarray(logits > 0)


def overlaps(found: Instances, expected: Iterator[NDArray[np.bool_]]) -> Iterator[float]:
    """Yield the IoU of each mask with the expected one; 1 where both are empty."""
    for rle, other in zip(found.rles, expected, strict=True):
        own = decode(rle)
        union = np.count_nonzero(own | other)
        yield np.count_nonzero(own & other) / union if union else 1.0


def measure_all(options: argparse.Namespace, work: str) -> list[Row]:
    """Return the row of the CSV; every task has a process of its own."""

    def apart(task: str) -> Row:
        own = ["--task", task, "--work", work]
        threads = str(options.threads)
        return run_apart([__file__, *sys.argv[1:], *own], OMP_NUM_THREADS=threads)

    prepared = apart("prepare")
    (Path(work) / PREPARED).write_text(json.dumps(prepared))
    info = read_info(Path(prepared["bundle"]))
    row = {
        "model": info.model_name,
        "input_hw": "x".join(map(str, info.preprocess.size_hw)),
        "image_hw": "x".join(map(str, options.size_hw)),
        **apart("measure"),
        **apart("compare"),
        "threshold": round(prepared["threshold"], 6),
        "batch_size": 1,
        "precision": "float32",
        "threads": options.threads,
        **surroundings("paddlepaddle", "numpy", "opencv-python-headless", "pycocotools"),
    }
    return [row]


def main() -> None:
    """Measure a prediction and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="Mask-RT-DETR-S", help="one of `segtune models`")
    parser.add_argument("--image", type=Path, help="to enlarge; default: smooth noise")
    parser.add_argument("--size-hw", type=int, nargs=2, default=(3000, 4000))
    parser.add_argument("--instances", type=int, default=100, help="that the threshold leaves")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=processor.usable_cores())
    parser.add_argument("--output", type=Path, default=RESULTS / "large_photograph.csv")
    parser.add_argument("--task", help="prepare, measure or compare here, and print JSON")
    parser.add_argument("--work", type=Path, help="with --task: what the tasks share")
    options = parser.parse_args()
    if options.task == "prepare":
        print(json.dumps(prepare(options)))
    elif options.task:
        prepared = json.loads((options.work / PREPARED).read_text())
        measured = options.task == "measure"
        row = measure(prepared, options.repeats) if measured else compare(prepared)
        print(json.dumps(row))
    else:
        with tempfile.TemporaryDirectory() as work:
            rows = measure_all(options, work)
        write_csv(options.output, rows)
        print_markdown(rows, COLUMNS)


if __name__ == "__main__":
    main()
