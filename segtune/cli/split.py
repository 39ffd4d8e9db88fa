"""`segtune split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segtune.cli import console, options

if TYPE_CHECKING:
    from segtune.split import SplitSummary


def split(
    source: Annotated[
        Path, typer.Argument(help="Dataset folder, whose splits are joined first, or COCO file.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    val: Annotated[
        float | None, typer.Option(metavar="SHARE", help="For validation, such as 0.2.")
    ] = None,
    test: Annotated[float, typer.Option(metavar="SHARE", help="For testing.")] = 0.0,
    folds: Annotated[
        int | None, typer.Option(metavar="K", help="Instead: K folds, each a dataset.")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Images stay together whose names give the same text in the parentheses, "
            r"such as '^(.*)_\d+\.jpg$'.",
        ),
    ] = None,
    seed: options.Seed = 0,
    images: options.ImagesFolder = None,
    link: options.Link = False,
    as_json: options.Json = False,
) -> None:
    """Deal a dataset out to splits, stratified by class; byte-identical images stay together."""
    from segtune.split import split_dataset

    shares = None if val is None and not test else {"val": val or 0.0, "test": test}
    done = split_dataset(
        source,
        output,
        shares=shares,
        folds=folds,
        group_by=group_by,
        seed=seed,
        images=images,
        link=link,
        reporter=console.reporter(),
    )
    if as_json:
        console.show_json(done.to_json())
    else:
        _show(done)


def _show(done: SplitSummary) -> None:
    columns = [part.name for part in done.parts]
    rows = [["images", *(str(part.num_images) for part in done.parts)]]
    rows += [
        [f"class {name}", *(str(part.instances_per_class[name]) for part in done.parts)]
        for name in done.parts[0].instances_per_class
    ]
    deviations = done.deviations()
    for row in rows:
        row += [
            f"{100 * (deviations[row[0]][part.name] + part.wish):.1f}%"
            if row[0] in deviations
            else "-"
            for part in done.parts
        ]
    wishes = [f"{part.name} (wish {100 * part.wish:.3g}%)" for part in done.parts]
    console.show_table(["", *columns, *wishes], rows)
    gap, worst, name = max(
        (abs(gap), title, name) for title, gaps in deviations.items() for name, gap in gaps.items()
    )
    console.show(f"furthest from the wish: {worst} in {name}, by {100 * gap:.1f} percent points")
    for name, parts in done.missing_classes().items():
        console.show(f"look at: class {name} has no instance in {', '.join(parts)}")
    if done.num_duplicates:
        console.show(
            f"{done.num_duplicates} images are byte-identical to others; they stay together"
        )
    if done.num_unmatched:
        console.show(f"look at: the pattern does not match {done.num_unmatched} file names")
    if done.renumbered:
        console.show("look at: files of the source used the same ids; those of later ones are new")
    console.show(f"written to {done.output}")
