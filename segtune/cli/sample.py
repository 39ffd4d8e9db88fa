"""`segtune sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segtune.cli import console, options


def sample(
    source: Annotated[Path, typer.Argument(help="Dataset folder or COCO file.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    num: Annotated[int | None, typer.Option(min=1, help="How many images.")] = None,
    per_class: Annotated[
        int | None, typer.Option(min=1, help="Or: how many images of each class in each split.")
    ] = None,
    fraction: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Or: which share of all images.")
    ] = None,
    seed: options.Seed = 0,
    images: options.ImagesFolder = None,
    link: options.Link = False,
    as_json: options.Json = False,
) -> None:
    """Take a small dataset out of a large one, with all classes, to try things out."""
    from segtune.sample import sample as sample_dataset

    done = sample_dataset(
        source,
        output,
        num=num,
        per_class=per_class,
        fraction=fraction,
        seed=seed,
        images=images,
        link=link,
        reporter=console.reporter(),
    )
    if as_json:
        console.show_json(done.to_json())
        return
    rows = [
        [f"images in {name}", str(here), str(there)] for name, (here, there) in done.images.items()
    ]
    rows += [
        [f"class {name}", str(here), str(there)]
        for name, (here, there) in done.instances_per_class.items()
    ]
    console.show_table(["", "sample", "source"], rows)
    for name in done.missing_classes():
        console.show(f"look at: class {name} is not in the sample")
    console.show(f"written to {done.output}")
