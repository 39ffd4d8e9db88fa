"""`segtune convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segtune.cli import console, options

if TYPE_CHECKING:
    from segtune.convert import Conversion
    from segtune.formats.account import Entry

PLACES_SHOWN = 3  # of each kind; --json has up to ten
# The names of segtune.formats.guess, which a test compares; importing them would load NumPy.
SourceName = Literal["labelme", "yolo", "voc", "masks", "cvat", "roboflow", "coco"]


def convert(
    source: Annotated[Path, typer.Argument(help="Dataset as its tool exported it.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    source_format: Annotated[
        SourceName | None,
        typer.Option("--from", help="Format of SOURCE; default: what it unmistakably is."),
    ] = None,
    to: Annotated[Literal["coco", "yolo", "labelme"], typer.Option(help="Format of OUT.")] = "coco",
    images: options.ImagesFolder = None,
    class_name: Annotated[
        str | None,
        typer.Option(help="Class of all masks, where their file names do not tell it."),
    ] = None,
    rename: options.Renames = None,
    link: options.Link = False,
    as_json: options.Json = False,
) -> None:
    """Convert a dataset, and count what could not be carried over."""
    from segtune.convert import convert as convert_dataset
    from segtune.formats.class_names import parse_renames
    from segtune.formats.guess import guess_format

    if source_format is None:
        source_format = guess_format(source)
        console.note(f"{source} is taken for {source_format}; --from would say otherwise")
    done = convert_dataset(
        source,
        output,
        to=to,
        source_format=source_format,
        images=images,
        class_name=class_name,
        renames=parse_renames(rename or []),
        link=link,
        reporter=console.reporter(),
    )
    if as_json:
        console.show_json(done.to_json())
    else:
        _show(done)


def _show(done: Conversion) -> None:
    rows = [["images", str(done.num_images)]]
    if set(done.images_per_split) != {"all"}:
        rows += [[f"images, {split}", str(count)] for split, count in done.images_per_split.items()]
    rows += [["instances", str(done.num_instances)]]
    rows += [[f"class {name}", str(count)] for name, count in done.instances_per_class.items()]
    carried = [(kind, count) for kind, count in done.account.carried.items() if kind != "instances"]
    rows += [[f"from {kind}", str(count)] for kind, count in carried]
    console.show_table([f"{done.source_format} to {done.target_format}", "carried over"], rows)
    show_entries("not carried over", done.account.lost)
    show_entries("look at", done.account.notes)
    console.show(f"written to {done.output}")
    if done.target_format == "coco" and "all" in done.images_per_split:
        console.show(f"next: segtune split {done.output} OUT --val 0.2")


def show_entries(title: str, entries: tuple[Entry, ...]) -> None:
    """Print kinds with their counts and first places; nothing where there are none."""
    for entry in entries:
        places = entry.places[:PLACES_SHOWN]
        if entry.count > len(places):
            places = [*places, f"and {entry.count - len(places)} more"]
        console.show(f"{title}: {entry.count} x {entry.kind}")
        for place in places:
            console.show(f"    {place}")
