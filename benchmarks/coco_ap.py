"""Time, memory and equality of three COCO metric engines, and of segtune's evaluation with one.

    python benchmarks/coco_ap.py                # three runs of each; writes results/coco_ap.csv
    python benchmarks/coco_ap.py --images 200 --output /tmp/coco_ap.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import pickle
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from machine import RESULTS, run_apart, surroundings, write_csv
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from segtune.categories import Categories
from segtune.data.coco import CocoDataset, ImageRecord, InstanceRecord
from segtune.evaluation.coco_ap import evaluate
from segtune.instances import Instances

ENGINES = ("pycocotools", "faster-coco-eval", "hotcoco")  # the first is the oracle
KINDS = ("bbox", "segm")
HEIGHT, WIDTH, CLASSES = 480, 640, 80

Figures = list[float]
Records = list[dict[str, Any]]
Dataset = dict[str, Any]  # as in a COCO file


def blob(rng: np.random.Generator, centre: NDArray[Any], radius: float) -> list[float]:
    """Return a ring of 24 points around `centre`, of uneven radius, as flat x, y pairs."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = radius * (0.75 + 0.25 * rng.random(24))
    points = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [round(float(v), 2) for v in np.clip(points, 0, [WIDTH, HEIGHT]).ravel()]


def shape_record(ring: list[float]) -> dict[str, Any]:
    """Return box, area and RLE of a ring."""
    rle = mask_api.frPyObjects([ring], HEIGHT, WIDTH)[0]
    return {
        "bbox": [float(v) for v in mask_api.toBbox(rle)],
        "area": float(mask_api.area(rle)),
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()},
    }


def draw_image(
    rng: np.random.Generator, image_id: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return ground truth and detections of one image: about 7 instances, 20 to 100 detections."""
    truth, found = [], []
    seeds = []
    for _ in range(rng.poisson(7)):
        centre = rng.random(2) * [WIDTH, HEIGHT]
        radius = float(np.exp(rng.uniform(np.log(6), np.log(160))))
        category = int(rng.integers(1, CLASSES + 1))
        seeds.append((centre, radius, category))
        record = shape_record(blob(rng, centre, radius))
        crowd = int(rng.random() < 0.02)
        truth.append({**record, "image_id": image_id, "category_id": category, "iscrowd": crowd})
    for _ in range(int(rng.integers(20, 101))):
        if seeds and rng.random() < 0.5:  # near an instance, mostly of its class
            centre, radius, category = seeds[int(rng.integers(len(seeds)))]
            centre = centre + rng.normal(0, 0.15, 2) * radius
            radius = radius * float(np.exp(rng.normal(0, 0.15)))
            category = category if rng.random() < 0.85 else int(rng.integers(1, CLASSES + 1))
            score = rng.beta(4, 2)
        else:
            centre, radius = rng.random(2) * [WIDTH, HEIGHT], float(np.exp(rng.uniform(1.8, 5)))
            category, score = int(rng.integers(1, CLASSES + 1)), rng.beta(1, 6)
        record = shape_record(blob(rng, centre, radius))
        del record["area"]
        # Two decimals, so that scores tie often.
        score = round(float(score), 2)
        found.append({**record, "image_id": image_id, "category_id": category, "score": score})
    return truth, found


def draw(num_images: int, cache: Path) -> Path:
    """Return a file with ground truth and detections, drawn once from seed 0."""
    path = cache / f"segtune_coco_ap_{num_images}.pickle"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    truth, found = [], []
    for image_id in range(1, num_images + 1):
        of_truth, of_found = draw_image(rng, image_id)
        truth += of_truth
        found += of_found
    for number, annotation in enumerate(truth, 1):
        annotation["id"] = number
    dataset = {
        "images": [
            {"id": i, "height": HEIGHT, "width": WIDTH, "file_name": f"{i}.jpg"}
            for i in range(1, num_images + 1)
        ],
        "categories": [{"id": c, "name": f"class {c}"} for c in range(1, CLASSES + 1)],
        "annotations": truth,
    }
    path.write_bytes(pickle.dumps((dataset, found)))
    return path


def run_python_engine(engine: str, kind: str, dataset: Dataset, found: Records) -> Figures:
    """Return the twelve figures from pycocotools or faster-coco-eval."""
    if engine == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Eval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Eval

    truth = COCO()
    truth.dataset = dataset
    truth.createIndex()
    evaluation = Eval(truth, truth.loadRes(found), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(v) for v in evaluation.stats[:12]]


def run_hotcoco(kind: str, dataset: Dataset, found: Records) -> Figures:
    """Return the twelve figures from hotcoco."""
    from hotcoco import COCO, COCOeval

    truth = COCO(dataset)
    evaluation = COCOeval(truth, truth.load_res(found), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(v) for v in evaluation.stats[:12]]


def segtune_dataset(dataset: Dataset) -> CocoDataset:
    """Return the annotations as segtune keeps them in memory."""
    instances: dict[int, list[InstanceRecord]] = {}
    for annotation in dataset["annotations"]:
        x, y, width, height = annotation["bbox"]
        instances.setdefault(annotation["image_id"], []).append(
            InstanceRecord(
                annotation_id=annotation["id"],
                label=annotation["category_id"] - 1,
                box=(x, y, x + width, y + height),
                segmentation=annotation["segmentation"],
                is_crowd=bool(annotation["iscrowd"]),
                area=annotation["area"],
            )
        )
    images = tuple(
        ImageRecord(
            image["id"],
            Path(image["file_name"]),
            image["height"],
            image["width"],
            tuple(instances.get(image["id"], ())),
        )
        for image in dataset["images"]
    )
    return CocoDataset(Path("made_up.json"), Categories.from_json(dataset["categories"]), images)


def segtune_results(found: Records) -> dict[int, Instances]:
    """Return the detections as segtune's predictor gives them."""
    by_image: dict[int, Records] = {}
    for record in found:
        by_image.setdefault(record["image_id"], []).append(record)
    results = {}
    for image_id, records in by_image.items():
        boxes = np.asarray([record["bbox"] for record in records], np.float32)
        boxes[:, 2:] += boxes[:, :2]
        results[image_id] = Instances(
            boxes,
            # Of twice the precision of a network's scores, so that all engines see the same ones.
            np.asarray([record["score"] for record in records]),
            np.asarray([record["category_id"] - 1 for record in records], np.int64),
            tuple(record["segmentation"] for record in records),
            (HEIGHT, WIDTH),
        )
    return results


def prepare(engine: str, kind: str, dataset: Dataset, found: Records) -> Callable[[], Figures]:
    """Return what is to be measured: from data in memory to the figures."""
    if engine == "segtune":
        truth, results = segtune_dataset(dataset), segtune_results(found)

        def run_segtune() -> Figures:
            report = evaluate(truth, results)
            figures = (*astuple(report.box), *astuple(report.mask))
            return [-1.0 if figure is None else figure for figure in figures]

        return run_segtune
    if kind == "segm":  # else the area ranges would follow the box, not the mask
        found = [{k: v for k, v in record.items() if k != "bbox"} for record in found]
    if engine == "hotcoco":
        return lambda: run_hotcoco(kind, dataset, found)
    return lambda: run_python_engine(engine, kind, dataset, found)


def first_images(dataset: Dataset, found: Records, count: int) -> tuple[Dataset, Records]:
    """Return the part of the data that belongs to the first images."""
    part = {
        **dataset,
        "images": dataset["images"][:count],
        "annotations": [a for a in dataset["annotations"] if a["image_id"] <= count],
    }
    return part, [record for record in found if record["image_id"] <= count]


def measure(engine: str, kind: str, data: Path) -> dict[str, Any]:
    """Run one engine once, in this process; return seconds, megabytes and figures."""
    with data.open("rb") as file:
        dataset, found = pickle.load(file)
    warm_up = prepare(engine, kind, *copy.deepcopy(first_images(dataset, found, 10)))
    run = prepare(engine, kind, dataset, found)
    with contextlib.redirect_stdout(io.StringIO()):
        warm_up()
    before = psutil.Process().memory_info().rss
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()) as noise:
        figures = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "memory_mb": (peak - before) / 2**20,
        "stdout_characters": len(noise.getvalue()),
        "figures": figures,
        "images": len(dataset["images"]),
        "instances": len(dataset["annotations"]),
        "detections": len(found),
    }


def measure_apart(engine: str, kind: str, data: Path) -> dict[str, Any]:
    """Run `measure` in a process of its own, so that peak memory is that of one engine."""
    return run_apart([__file__, "--one", engine, kind, str(data)])


def row(engine: str, kind: str, runs: list[dict[str, Any]], oracle: Figures) -> dict[str, Any]:
    """Return one line of the CSV: median and spread of the runs, difference from the oracle."""
    seconds = [run["wall_s"] for run in runs]
    figures = np.asarray([run["figures"] for run in runs])
    return {
        "engine": engine,
        "version": version(engine),
        "kind": kind,
        "images": runs[0]["images"],
        "instances": runs[0]["instances"],
        "detections": runs[0]["detections"],
        "runs": len(runs),
        "wall_s_median": round(statistics.median(seconds), 2),
        "wall_s_min": round(min(seconds), 2),
        "wall_s_max": round(max(seconds), 2),
        "cpu_s_median": round(statistics.median(run["cpu_s"] for run in runs), 2),
        "added_peak_memory_mb": round(statistics.median(run["memory_mb"] for run in runs)),
        "largest_difference": float(np.abs(figures - np.asarray(oracle)).max()),
        "ap": runs[0]["figures"][0],
        "stdout_characters": runs[0]["stdout_characters"],
        **surroundings("numpy"),
    }


def summary(of_row: dict[str, Any]) -> str:
    """Return the measured part of a line of the CSV in words."""
    return (
        f"{of_row['kind']} {of_row['engine']} {of_row['version']}: {of_row['wall_s_median']} s "
        f"({of_row['wall_s_min']}-{of_row['wall_s_max']}), {of_row['added_peak_memory_mb']} MB, "
        f"difference {of_row['largest_difference']:.1e}"
    )


def main() -> None:
    """Measure every engine and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path("/tmp"))
    parser.add_argument("--output", type=Path, default=RESULTS / "coco_ap.csv")
    parser.add_argument("--one", nargs=3, metavar=("ENGINE", "KIND", "DATA"))
    options = parser.parse_args()
    if options.one:
        engine, kind, data = options.one
        print(json.dumps(measure(engine, kind, Path(data))))
        return
    data = draw(options.images, options.cache)
    rows: list[dict[str, Any]] = []
    oracles: Figures = []
    for kind in KINDS:
        oracle: Figures = []
        for engine in ENGINES:
            runs = [measure_apart(engine, kind, data) for _ in range(options.runs)]
            oracle = oracle or runs[0]["figures"]
            rows.append(row(engine, kind, runs, oracle))
            print(summary(rows[-1]), flush=True)
        oracles += oracle
    runs = [measure_apart("segtune", "both", data) for _ in range(options.runs)]
    rows.append(row("segtune", "both", runs, oracles))
    print(summary(rows[-1]), flush=True)
    write_csv(options.output, rows)


if __name__ == "__main__":
    main()
