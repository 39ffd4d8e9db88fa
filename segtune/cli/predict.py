"""`segtune predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from segtune.cli import console, options
from segtune.errors import RecipeError

if TYPE_CHECKING:
    from segtune.predict import Format

EXIT_SOME_FAILED = 1
Number = TypeVar("Number", int, float)


def predict(
    inputs: Annotated[list[str], typer.Argument(help="Files, folders, globs and URLs.")],
    model: Annotated[str, typer.Option("--model", "-m", help=options.MODEL_HELP)],
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"{options.DEVICES}; default: cpu.")
    ] = None,
    threads: options.Threads = None,
    runtime: options.RuntimeName = "paddle",
    precision: options.PrecisionName = "fp32",
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Keep instances with scores above it. Default: 0.5."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per forward pass. Default: 1.")
    ] = None,
    save_path: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("output"),
    formats: Annotated[
        str, typer.Option("--format", help="Any of json, coco, overlay, with commas.")
    ] = "json,coco,overlay",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there already.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Find instances on pictures. Exit status 1 if some of the pictures could not be read.

    With a pipeline YAML as the model, its threshold, batch size and device hold where no option
    says otherwise.
    """
    from segtune import processor
    from segtune.devices import parse_device
    from segtune.pipeline_config import settings_of
    from segtune.runtime_names import parse_precision, parse_runtime

    settings = settings_of(model)
    chosen = parse_device(device or settings.device or "cpu")
    processor.prepare(threads)
    from segtune.predict import predict_files

    summary = predict_files(
        model,
        inputs,
        device=chosen,
        threads=threads,
        runtime=parse_runtime(runtime),
        precision=parse_precision(precision),
        threshold=_first_given(threshold, settings.threshold, 0.5),
        batch_size=_first_given(batch_size, settings.batch_size, 1),
        output=save_path,
        formats=_formats(formats),
        overwrite=overwrite,
        reporter=console.reporter(),
    )
    if as_json:
        console.show_json(
            {
                "num_images": summary.num_images,
                "num_instances": summary.num_instances,
                "failed": [{"file": file, "reason": reason} for file, reason in summary.failed],
                "output": str(summary.output),
            }
        )
    else:
        console.show(
            f"{summary.num_instances} instances on {summary.num_images} pictures, "
            f"{len(summary.failed)} not readable; results in {summary.output}"
        )
    if summary.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _first_given(*values: Number | None) -> Number:
    """Return the first value that is there."""
    return next(value for value in values if value is not None)


def _formats(text: str) -> list[Format]:
    from segtune.predict import FORMATS

    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise RecipeError(
            f"{unknown[0]!r} is not a format of results",
            where=f"--format {text}",
            remedy=f"use any of {', '.join(FORMATS)}, with commas",
        )
    return cast("list[Format]", names)
