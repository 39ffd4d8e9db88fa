"""`segtune pipeline config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segtune.cli import console, options

app = typer.Typer(help="Pipeline configs, for segtune and PaddleX.", no_args_is_help=True)
FILE_NAME = "instance_segmentation.yaml"


@app.command("config")
def config(
    save_path: Annotated[
        Path | None,
        typer.Option(
            "--save-path",
            "--save_path",
            help="YAML file to write, or a folder to write it into. Default: print it.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help=f"{options.MODEL_HELP} Default: Mask-RT-DETR-S."),
    ] = None,
    schema: Annotated[
        Literal["paddlex3", "paddlex3beta"], typer.Option(help="For which PaddleX.")
    ] = "paddlex3",
    device: Annotated[str | None, typer.Option(metavar="NAME", help=options.DEVICES)] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "--batch_size", min=1, help="Images per forward pass.")
    ] = 1,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Keep instances with scores above it.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "--force", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write a pipeline config that `segtune predict --pipeline` reads, and so does PaddleX.

    PaddleX reads it where the model is a bundle or one of the fifteen names.
    """
    from segtune.devices import check_device_names
    from segtune.errors import OutputError
    from segtune.files import write_text
    from segtune.pipeline_config import SUFFIXES
    from segtune.sources import pipeline_config_of

    if device is not None:
        check_device_names(device)
    text, note = pipeline_config_of(
        model, schema=schema, device=device, batch_size=batch_size, threshold=threshold
    )
    if note is not None:
        console.note(note)
    if save_path is None:
        console.show(text.rstrip())
        return
    path = save_path if save_path.suffix in SUFFIXES else save_path / FILE_NAME
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} exists already",
            where=str(path),
            remedy="choose another --save-path, or allow it with --overwrite",
        )
    write_text(path, text)
    console.show(f"{path}: use it with `segtune predict --pipeline {path} --input PICTURES`")
