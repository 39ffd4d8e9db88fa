"""`segtune merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segtune.cli import console, options
from segtune.cli.convert import show_entries


def merge(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE... OUT", help="Dataset folders; last the folder to make."),
    ],
    rename: options.Renames = None,
    link: options.Link = False,
    as_json: options.Json = False,
) -> None:
    """Join datasets: classes by name, train with train, val with val."""
    from segtune.errors import DatasetError
    from segtune.formats.class_names import parse_renames
    from segtune.merge import merge as merge_datasets

    *sources, output = paths
    if not sources:
        raise DatasetError(
            "there is nothing to merge",
            where="segtune merge",
            remedy="give the datasets and, last, the folder to make",
        )
    done = merge_datasets(
        sources,
        output,
        renames=parse_renames(rename or []),
        link=link,
        reporter=console.reporter(),
    )
    if as_json:
        console.show_json(done.to_json())
        return
    rows = [[f"images from {name}", str(count)] for name, count in done.images_per_source.items()]
    rows += [[f"images in {name}", str(count)] for name, count in done.images_per_split.items()]
    rows += [[f"class {name}", str(count)] for name, count in done.instances_per_class.items()]
    console.show_table(["", "merged"], rows)
    show_entries("look at", done.account.notes)
    console.show(f"written to {done.output}")
