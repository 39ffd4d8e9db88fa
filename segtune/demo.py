"""The whole path on drawn photographs: check, train, evaluate, export, predict, register."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtune.check_dataset import check_dataset
from segtune.data.coco import read_coco
from segtune.data.layout import SplitFiles, locate_root
from segtune.draw import overlay
from segtune.errors import OutputError
from segtune.evaluate import evaluate_model
from segtune.evaluation.report import Report
from segtune.images import read_image, write_image
from segtune.pipeline_config import write_pipeline_config
from segtune.progress import Reporter, SilentReporter
from segtune.recipe_files import load_recipe
from segtune.registry import RegisteredVersion, register, resolve_uri
from segtune.scenes import draw_dataset
from segtune.sources import open_predictor
from segtune.train import TrainSummary, fine_tune

RECIPE = "pp_yoloe_seg_s_scratch"
EPOCHS = 30  # 360 steps, some minutes on two cores
# Drawn things come at one scale, so they are learned faster without crops and at a higher rate.
SETTINGS = (
    "image_size=[256, 256]",
    "optimizer.lr=2e-3",
    "schedule.warmup_steps=30",
    "augment.crop=0",
)
MODEL_NAME = "demo-things"
ALIAS = "champion"
THRESHOLD = 0.4
MOSAIC_COLUMNS, MOSAIC_ROWS = 3, 2


@dataclass(frozen=True)
class DemoSummary:
    """What the demonstration has left in its folder.

    Attributes:
        report: Figures of the best checkpoint on the validation split.
        run: The training run.
        version: The registered model.
        pipeline: A PaddleX pipeline config that loads the registered version by a local path.
        picture: What the registered version finds on validation images.
    """

    report: Report
    run: TrainSummary
    version: RegisteredVersion
    pipeline: Path
    picture: Path


def run_demo(
    output: Path, *, epochs: int | None = None, reporter: Reporter | None = None
) -> DemoSummary:
    """Take a drawn dataset all the way to a registered model.

    Args:
        output: Folder of everything that is made; it must not exist.
        epochs: Passes over the training split; default: EPOCHS.
        reporter: Told about every part.

    Raises:
        OutputError: `output` exists.
    """
    reporter = reporter or SilentReporter()
    if output.exists():
        raise OutputError(
            f"{output} exists already",
            where=str(output),
            remedy="remove it yourself, or choose another folder with --output",
        )
    reporter.say("1/6  draw a dataset of 60 scenes")
    files = locate_root(draw_dataset(output / "dataset", reporter=reporter))
    reporter.say("2/6  check it")
    check_dataset(files, reporter=reporter).raise_for_errors()
    reporter.say("3/6  train a network from random weights on it")
    run = _train(output, epochs or EPOCHS, reporter)
    reporter.say("4/6  evaluate the best checkpoint")
    report = evaluate_model(str(run.run_folder), files.val, files.images_root, reporter=reporter)
    reporter.say("5/6  register the exported bundle in MLflow")
    store = f"sqlite:///{(output / 'mlflow.db').resolve().as_posix()}"
    version = register(str(run.run_folder), name=MODEL_NAME, alias=ALIAS, uri=store)
    reporter.say("6/6  predict with the registered version, through a pipeline config")
    pipeline = output / "pipeline.yaml"
    write_pipeline_config(pipeline, resolve_uri(f"models:/{MODEL_NAME}@{ALIAS}", store))
    picture = _draw_findings(pipeline, files, output / "overlay.png")
    return DemoSummary(report, run, version, pipeline, picture)


def _train(output: Path, epochs: int, reporter: Reporter) -> TrainSummary:
    root = json.dumps(str(output / "dataset"))
    recipe = load_recipe(RECIPE, [f"data.root={root}", f"epochs={epochs}", *SETTINGS])
    return fine_tune(recipe, runs=output / "runs", run_name="demo", reporter=reporter)


def _draw_findings(pipeline: Path, files: SplitFiles, path: Path) -> Path:
    """Draw what the configured model finds on some validation images, side by side."""
    predictor = open_predictor(str(pipeline))
    records = read_coco(files.val, files.images_root).images
    chosen = sorted(records, key=lambda record: -len(record.instances))
    images = [read_image(record.path) for record in chosen[: MOSAIC_COLUMNS * MOSAIC_ROWS]]
    found = predictor.predict(images, threshold=THRESHOLD)
    drawn = [
        overlay(image, instances, predictor.categories)
        for image, instances in zip(images, found, strict=True)
    ]
    write_image(path, _mosaic(drawn))
    return path


def _mosaic(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lay pictures of equal size out in rows, with a thin white line between them."""
    framed = [np.pad(p, ((2, 2), (2, 2), (0, 0)), constant_values=255) for p in pictures]
    rows = [framed[i : i + MOSAIC_COLUMNS] for i in range(0, len(framed), MOSAIC_COLUMNS)]
    full = [np.concatenate(row, axis=1) for row in rows if len(row) == MOSAIC_COLUMNS]
    return np.concatenate(full, axis=0)
