"""`segtune demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segtune.cli import console, options


def demo(
    output: Annotated[Path, typer.Option(help="Folder to make.")] = Path("demo"),
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the drawn images; default: some minutes' worth."),
    ] = None,
    threads: options.Threads = None,
) -> None:
    """Draw a dataset, then check, train, evaluate, export, register and predict on it."""
    from segtune import processor

    processor.import_paddle_quietly(threads)
    from segtune.demo import run_demo

    summary = run_demo(output, epochs=epochs, reporter=console.reporter())
    report, version = summary.report, summary.version
    figures = ("ap", "ap50", "ap75")
    console.show_table(
        ["validation", "AP", "AP50", "AP75"],
        [
            [form, *(console.percent(getattr(of_form, figure)) for figure in figures)]
            for form, of_form in (("mask", report.mask), ("box", report.box))
        ],
    )
    console.show_table(
        ["", ""],
        [
            ["run", str(summary.run.run_folder)],
            ["bundle", str(summary.run.bundle)],
            ["registered", f"{version.name}, version {version.version}"],
            ["aliases", ", ".join(version.aliases)],
            ["pipeline config", str(summary.pipeline)],
            ["overlay picture", str(summary.picture)],
        ],
    )
