"""Time of the stages of a prediction with segtune, beside PaddleX on the same bundle.

    python benchmarks/beside_paddlex.py --model Mask-RT-DETR-S --images PHOTOS
    python benchmarks/beside_paddlex.py --bundle runs/fruits-1/bundle --images PHOTOS
    python benchmarks/beside_paddlex.py --model PP-YOLOE_seg-S \
        --num-images 2 --repeats 1 --output /tmp/beside.csv   # a quick look
    python benchmarks/beside_paddlex.py --model Mask-RT-DETR-L --images PHOTOS \
        --runtimes paddle,onnx,openvino,openvino-bf16

`make peers` builds the environment that PaddleX runs in. Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import RESULTS, Row, print_markdown, run_apart, spread_ms, surroundings, write_csv
from random_bundle import threshold_for, write_random_bundle
from stage_laps import STAGES

from segtune import processor
from segtune.bundle import read_info
from segtune.images import list_images, write_image
from segtune.pipeline_config import write_pipeline_config
from segtune.preprocess import PreprocessSpec
from segtune.sources import open_predictor

FOLDER = Path(__file__).parent
PEERS_PYTHON = FOLDER.parent / ".venv-peers" / "bin" / "python"
DRAWN_HW = ((480, 640), (640, 480), (612, 612), (600, 800))
INSTANCES_PER_IMAGE = 10  # of random weights
PAUSE_S = 0.3  # threads of an engine that has run spin for about as long
WHOLE = "end to end"
COLUMNS = {
    "engine": "engine",
    "stage": "stage",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "times segtune's": "times_segtune",
    "times as fast as PaddleX": "times_as_fast",
    "instances an image": "instances",
    "peak memory (MB)": "peak_memory_mb",
}


class Prepared(NamedTuple):
    """What all engines share."""

    bundle: str
    threshold: float
    images: list[str]


def prepare(options: argparse.Namespace) -> Prepared:
    """Draw pictures and write a bundle where none are given, and choose the threshold."""
    images = (
        list_images(options.images)[: options.num_images]
        if options.images
        else draw_pictures(options.work, options.num_images)
    )
    bundle, threshold = options.bundle, options.threshold
    if bundle is None:
        bundle = options.work / "bundle"
        write_random_bundle(options.model, bundle, onnx=set(options.runtimes) != {"paddle"})
        if threshold is None:
            count = INSTANCES_PER_IMAGE * len(images)
            threshold = threshold_for(open_predictor(str(bundle)), images, count)
    if threshold is None:
        threshold = read_info(bundle).draw_threshold
    return Prepared(str(bundle), threshold, [str(image) for image in images])


def draw_pictures(folder: Path, number: int) -> list[Path]:
    """Return smooth random pictures of a few sizes."""
    paths = [folder / f"{index}.png" for index in range(number)]
    for seed, path in enumerate(paths):
        coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
        size_hw = DRAWN_HW[seed % len(DRAWN_HW)]
        write_image(path, PreprocessSpec(size_hw=size_hw).resize(coarse))
    return paths


class Engine:
    """A process that predicts a picture when asked to.

    Attributes:
        description: What runs there, and the versions of what it runs on.
        answers: Seconds by stage, instances and peak memory, one a picture.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.description = self._read()
        self.answers: list[dict[str, Any]] = []

    def predict(self, image: str) -> None:
        """Predict a picture and keep the answer."""
        print(image, file=self._process.stdin, flush=True)
        self.answers.append(self._read())

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:  # it has said why
            raise SystemExit(1)
        return dict(json.loads(line))


@contextmanager
def open_engine(
    python: Path | str, script: str, *arguments: object, **variables: str
) -> Iterator[Engine]:
    """Start a script that answers, with environment variables added."""
    process = subprocess.Popen(
        [python, FOLDER / script, *map(str, arguments)],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Engine(process)
    finally:
        process.kill()
        process.wait()


def measure(prepared: Prepared, work: Path, options: argparse.Namespace) -> list[Engine]:
    """Return all engines with their answers, those of segtune first, then PaddleX as it comes.

    Pictures go to one engine after the other, each time from another one on, so that none has
    the quieter half. The first round warms up.
    """
    from matplotlib import get_data_path  # brings the font that PaddleX would download

    config = work / "pipeline.yaml"
    write_pipeline_config(config, Path(prepared.bundle))
    paddlex = (PEERS_PYTHON, "answer_paddlex.py", config, prepared.threshold)
    segtune = (sys.executable, "answer_segtune.py", prepared.bundle, prepared.threshold)
    threads = str(options.threads)
    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    offline = {
        "PADDLE_PDX_LOCAL_FONT_FILE_PATH": str(font),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
        "PADDLE_PDX_CACHE_HOME": str(work / "cache"),
    }
    with ExitStack() as stack:
        engines = [
            *(
                stack.enter_context(open_engine(*segtune, *choice, OMP_NUM_THREADS=threads))
                for choice in map(runtime_of, options.runtimes)
            ),
            stack.enter_context(open_engine(*paddlex, **offline)),
            stack.enter_context(
                open_engine(*paddlex, **offline, PADDLE_PDX_CPU_NUM_THREADS=threads)
            ),
        ]
        for turn, image in enumerate(prepared.images * (1 + options.repeats)):
            first = turn % len(engines)
            for engine in engines[first:] + engines[:first]:
                time.sleep(PAUSE_S)
                engine.predict(image)
    for engine in engines:
        del engine.answers[: len(prepared.images)]
    return engines


def runtime_of(choice: str) -> tuple[str, str]:
    """Return runtime and precision of a choice such as `openvino` or `openvino-bf16`."""
    runtime, _, precision = choice.partition("-")
    return runtime, precision or "fp32"


def rows_of(engine: Engine, around: Mapping[str, Any]) -> list[Row]:
    """Return the rows of one engine: each stage, and all of them."""
    seconds = {stage: [times[stage] for times in engine.answers] for stage in STAGES}
    seconds[WHOLE] = [sum(times) for times in zip(*seconds.values(), strict=True)]
    found = np.mean([answer["instances"] for answer in engine.answers])
    return [
        {
            "engine": engine.description["engine"],
            "stage": stage,
            **spread_ms(times),
            "instances": round(float(found), 1),
            "peak_memory_mb": engine.answers[-1]["peak_memory_mb"],
            **around,
            **engine.description["versions"],
        }
        for stage, times in seconds.items()
    ]


def as_rows(engines: Sequence[Engine], prepared: Prepared, num_segtune: int) -> list[Row]:
    """Return the rows of the CSV: of the runtimes of segtune, which come first, then PaddleX's."""
    info = read_info(Path(prepared.bundle))
    around = {
        "model": info.model_name,
        "input_hw": "x".join(map(str, info.preprocess.size_hw)),
        "batch_size": 1,
        "threshold": round(prepared.threshold, 6),
        "images": len(prepared.images),
        **surroundings(),
    }
    rows = [row for engine in engines for row in rows_of(engine, around)]
    own, of_paddlex = (
        {row["stage"]: row["median_ms"] for row in rows_of(engines[place], around)}
        for place in (0, num_segtune)
    )
    return [
        {
            **row,
            "times_segtune": round(row["median_ms"] / own[row["stage"]], 2),
            "times_as_fast": round(of_paddlex[row["stage"]] / row["median_ms"], 2),
        }
        for row in rows
    ]


def main() -> None:
    """Measure all engines and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help="one of `segtune models`, with random weights")
    what.add_argument("--bundle", type=Path, help="a folder that `segtune export` has written")
    parser.add_argument("--images", help="a folder of photographs; default: drawn pictures")
    parser.add_argument("--num-images", type=int, default=16, help="at most so many pictures")
    parser.add_argument("--repeats", type=int, default=5, help="times that each is timed")
    parser.add_argument(
        "--threshold", type=float, help="of scores; default: the bundle's, or 10 rows an image"
    )
    parser.add_argument(
        "--runtimes",
        type=lambda text: text.split(","),
        default=["paddle"],
        help="of segtune, such as paddle,onnx,openvino,openvino-bf16; default: paddle",
    )
    parser.add_argument("--threads", type=int, default=processor.usable_cores())
    parser.add_argument("--output", type=Path, help="default: results/beside_paddlex_<model>.csv")
    parser.add_argument("--work", type=Path, help="prepare in this folder, and print JSON")
    options = parser.parse_args()
    if options.work:
        print(json.dumps(prepare(options)._asdict()))
        return
    with tempfile.TemporaryDirectory() as work:
        prepared = Prepared(**run_apart([__file__, *sys.argv[1:], "--work", work]))
        engines = measure(prepared, Path(work), options)
        rows = as_rows(engines, prepared, len(options.runtimes))
    name = rows[0]["model"].lower().replace("-", "_")
    write_csv(options.output or RESULTS / f"beside_paddlex_{name}.csv", rows)
    print_markdown(rows, COLUMNS)


if __name__ == "__main__":
    main()
