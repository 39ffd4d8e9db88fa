"""`segtune predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from segtune.cli import console, options
from segtune.errors import RecipeError

if TYPE_CHECKING:
    from segtune.pipeline_config import PipelineConfig
    from segtune.result import Result
    from segtune.result_files import Format

EXIT_SOME_FAILED = 1


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Pictures, TIFF, PDF and video files, folders, globs, URLs, camera:0."),
    ] = None,
    more_inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="The same as an option.")
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option("--pipeline", "-p", help="instance_segmentation, or a pipeline YAML."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help=f"{options.MODEL_HELP} Wins over a YAML's.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"{options.DEVICES} gpu:0,1, auto; default: cpu."),
    ] = None,
    threads: options.Threads = None,
    runtime: options.RuntimeName = "paddle",
    precision: options.PrecisionName = "fp32",
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Keep instances with scores above it. Default: 0.5."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", "--batch_size", min=1, help="Images per forward pass. Default: 1."
        ),
    ] = None,
    save_path: Annotated[
        Path, typer.Option("--save-path", "--save_path", help="Folder of the results.")
    ] = Path("output"),
    formats: Annotated[
        str,
        typer.Option("--format", help="Any of json, coco, overlay, paddlex, labelme, with commas."),
    ] = "json,coco,overlay",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there already.")
    ] = False,
    tile: Annotated[
        int | None, typer.Option(min=64, help="Cut large pictures into tiles of this side, in px.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0.0, max=0.49, help="Share of its side that tiles have in common.")
    ] = 0.2,
    show: Annotated[
        bool, typer.Option("--show", help="Show every overlay in the terminal.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Find instances on pictures. Exit status 1 if some of the pictures could not be read.

    The model is named by --model, or by the config of --pipeline, whose threshold, batch size and
    device hold where no option says otherwise.
    """
    from segtune import processor
    from segtune.pipeline_config import DEFAULT
    from segtune.runtime_names import parse_precision, parse_runtime

    settings = _settings(pipeline, model, device, batch_size, threshold)
    names = [*(inputs or []), *(more_inputs or [])]
    processor.prepare(threads)
    from segtune.predict import predict_files
    from segtune.tiles import Tiling

    summary = predict_files(
        settings.model,
        names,
        device=settings.device or "cpu",
        threads=threads,
        runtime=parse_runtime(runtime),
        precision=parse_precision(precision),
        threshold=_first_given(settings.threshold, DEFAULT.threshold),
        batch_size=_first_given(settings.batch_size, DEFAULT.batch_size),
        output=save_path,
        formats=_formats(formats),
        overwrite=overwrite,
        tiling=None if tile is None else Tiling(tile, overlap),
        on_result=_show if show else None,
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
        for file, reason in summary.failed:
            console.note(f"not readable: {file}: {reason}")
    if summary.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _settings(
    pipeline: str | None,
    model: str | None,
    device: str | None,
    batch_size: int | None,
    threshold: float | None,
) -> PipelineConfig:
    """Return what is in force, read and checked before anything large is loaded."""
    from segtune.devices import check_device_names
    from segtune.pipeline import resolve_settings

    if pipeline is None and model is None:
        raise RecipeError(
            "no model is named",
            where="--model, --pipeline",
            remedy=f"give --model ({options.MODEL_HELP}) or --pipeline FILE",
        )
    settings = resolve_settings(
        pipeline, model=model, device=device, batch_size=batch_size, threshold=threshold
    )
    check_device_names(settings.device or "cpu")
    for key in settings.unheeded:
        console.note(f"{key} of the pipeline config is for PaddleX only; it changes nothing here")
    return settings


def _show(result: Result) -> None:
    console.show_picture(result.draw())


def _first_given(*values: Any) -> Any:
    """Return the first value that is there."""
    return next(value for value in values if value is not None)


def _formats(text: str) -> list[Format]:
    from segtune.result_files import FORMATS

    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise RecipeError(
            f"{unknown[0]!r} is not a format of results",
            where=f"--format {text}",
            remedy=f"use any of {', '.join(FORMATS)}, with commas",
        )
    return cast("list[Format]", names)
