"""`segtune replay`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segtune.cli import console, options

if TYPE_CHECKING:
    from segtune.replay import ReplayReport

NAMES_SHOWN = 3  # of each kind; --json has all


def replay(
    file: Annotated[Path, typer.Argument(help="A failed_step_*.safetensors file of a run folder.")],
    device: options.DeviceName = "cpu",
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="CPU threads; default: as many as the run had."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compute the losses of a stored step again and say what is not finite."""
    from segtune.devices import parse_device

    chosen = parse_device(device)
    from segtune.replay import replay_step

    report = replay_step(file, device=chosen, threads=threads)
    if as_json:
        console.show_json(report.to_json())
    else:
        _show(report)


def _show(report: ReplayReport) -> None:
    info = report.info
    if report.losses:
        rows = [
            [name, f"{value:.9g}", "yes" if math.isfinite(value) else "no"]
            for name, value in report.losses.items()
        ]
        console.show_table(["loss", "value", "finite"], rows)
    else:
        console.show(f"no losses: {report.interruption}")
    console.show_table(
        ["", "not finite", ""],
        [
            ["gradients", *_count(report.odd_gradients, f" of {report.num_gradients}")],
            ["weights before the step", *_count(report.odd_weights)],
            ["images", *_count(report.odd_images)],
            ["images with boxes", *_count(report.odd_boxes)],
        ],
    )
    console.show_table(
        ["", ""],
        [
            ["step", f"{info.step} of {info.model_name}, {info.num_classes} classes"],
            ["images", ", ".join(info.file_names)],
            ["the run was stopped by", info.problem],
            ["on", f"{info.device}, CPU threads: {info.threads}, seed {info.seed}"],
            ["with", f"segtune {info.segtune_version}, Paddle {info.paddle_version}"],
        ],
    )
    if report.is_finite:
        console.show("losses and gradients are finite here: this step could go on")
    else:
        console.show("losses or gradients are not finite: this step cannot go on")


def _count(names: Sequence[str], of: str = "") -> list[str]:
    """Return how many names there are, and the first of them."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return [f"{len(names)}{of}", ", ".join(names[:NAMES_SHOWN]) + more]
