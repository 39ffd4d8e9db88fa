"""`segtune eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segtune.cli import console, options
from segtune.errors import OutputError, RecipeError

if TYPE_CHECKING:
    from segtune.evaluation.report import Report

FIGURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100")
TITLES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large", "AR 1", "AR 10", "AR 100")


def evaluate(
    model: Annotated[str, typer.Argument(help=options.MODEL_HELP)],
    data: options.DataRoot = None,
    split: Annotated[
        Literal["val", "train"], typer.Option(help="Which split of the dataset folder.")
    ] = "val",
    annotations: Annotated[Path | None, typer.Option(help="COCO file, instead of --data.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of its images.")] = None,
    batch_size: options.BatchSize = 1,
    device: options.DeviceName = "cpu",
    threads: options.Threads = None,
    runtime: options.RuntimeName = "paddle",
    precision: options.PrecisionName = "fp32",
    as_json: options.Json = False,
    output: Annotated[Path | None, typer.Option(help="Also write the JSON here.")] = None,
) -> None:
    """Measure mask and box AP of a model on a dataset, overall and per class."""
    from segtune import processor
    from segtune.devices import parse_device
    from segtune.files import write_text
    from segtune.runtime_names import parse_precision, parse_runtime

    chosen = parse_device(device)
    with_runtime, with_precision = parse_runtime(runtime), parse_precision(precision)
    if output is not None and output.exists():
        raise OutputError(f"{output} exists already", remedy="choose another --output")
    files = _files(data, split, annotations, images)
    processor.prepare(threads)
    from segtune.evaluate import evaluate_model

    report = evaluate_model(
        model,
        *files,
        device=chosen,
        threads=threads,
        runtime=with_runtime,
        precision=with_precision,
        batch_size=batch_size,
        reporter=console.reporter(),
    )
    if output is not None:
        write_text(output, json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n")
    if as_json:
        console.show_json(report.to_json())
    else:
        _show(report)


def _files(
    root: Path | None, split: str, annotations: Path | None, images: Path | None
) -> tuple[Path, Path]:
    """Return the annotation file and the folder of its images."""
    from segtune.data.layout import locate_root

    if root is not None and annotations is None and images is None:
        files = locate_root(root)
        return (files.train if split == "train" else files.val), files.images_root
    if root is None and annotations is not None and images is not None:
        return annotations, images
    raise RecipeError(
        "the dataset is not named, or named twice",
        where="segtune eval",
        remedy="give --data ROOT, or --annotations FILE with --images FOLDER",
    )


def _show(report: Report) -> None:
    rows = [
        [name, *(console.percent(getattr(figures, figure)) for figure in FIGURES)]
        for name, figures in (("mask", report.mask), ("box", report.box))
    ]
    console.show_table(["", *TITLES], rows)
    per_class = [
        [
            each.class_name,
            str(each.num_instances),
            *(console.percent(value) for value in (each.mask.ap, each.mask.ap50, each.box.ap)),
        ]
        for each in report.per_class
    ]
    console.show_table(["class", "instances", "mask AP", "mask AP50", "box AP"], per_class)
    console.show(
        f"{report.num_images} images, {report.num_instances} instances, "
        f"{report.num_detections} detections; AP and AR times 100, - without ground truth"
    )
