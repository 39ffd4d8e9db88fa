"""`segtune doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from segtune.cli import console, options

EXIT_MISSING = 1


def doctor(
    measure: Annotated[
        bool, typer.Option(help="Measure the processor's speed with and without the settings.")
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Show this machine as segtune sees it, and how to get what is missing.

    Exit status 1 if something is missing that the main commands need.
    """
    from segtune.doctor import diagnose

    diagnosis = diagnose(measure=measure)
    if as_json:
        console.show_json(diagnosis.to_json())
    else:
        rows, group = [], ""
        for fact in diagnosis.facts:
            rows.append(["" if fact.group == group else fact.group, fact.name, fact.value])
            group = fact.group
        console.show_table(["", "", ""], rows)
        for entry in diagnosis.missing:
            word = "missing" if entry.needed else "optional"
            console.show(f"{word}: {entry.what}\nfix:     {entry.remedy}")
    if any(entry.needed for entry in diagnosis.missing):
        raise typer.Exit(EXIT_MISSING)
