"""`segtune check-dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segtune.cli import console, options
from segtune.errors import RecipeError

if TYPE_CHECKING:
    from segtune.check_dataset import DatasetReport
    from segtune.data.findings import Finding

EXIT_FAULTY = 1
PLACES_SHOWN = 3  # of each finding; --json has up to ten


def check_dataset(
    root: Annotated[
        Path | None,
        typer.Argument(help="Folder with images/ and annotations/instance_{train,val}.json."),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="COCO file of the training split.")] = None,
    val: Annotated[Path | None, typer.Option(help="COCO file of the validation split.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images.")] = None,
    report_folder: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Also write DIR/report.html with pictures of every finding, and PaddleX's "
            "check_dataset_result.json.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Look for every fault of a COCO dataset. Exit status 1 if there is one."""
    from segtune.check_dataset import check_dataset as check
    from segtune.data.layout import locate
    from segtune.recipe import DataRecipe

    by_files = [path for path in (train, val, images) if path is not None]
    if (root is None and len(by_files) < 3) or (root is not None and by_files):
        raise RecipeError(
            "the dataset is not named, or named twice",
            where="segtune check-dataset",
            remedy="give its folder, or --train, --val and --images",
        )
    if report_folder is not None:
        from segtune.dataset_report.folder import refuse_taken

        refuse_taken(report_folder)
    reporter = console.reporter()
    files = locate(DataRecipe(root=root, train=train, val=val, images=images), Path.cwd())
    report = check(files, reporter=reporter)
    page = None
    if report_folder is not None:
        from segtune.dataset_report.folder import write_report

        page = write_report(report, files, report_folder, reporter=reporter)
    if as_json:
        console.show_json(report.to_json())
    else:
        _show(report)
    if report.verdict != "pass":
        raise typer.Exit(EXIT_FAULTY)


def _show(report: DatasetReport) -> None:
    splits = report.statistics
    counts = [
        ("images", "num_images"),
        ("instances", "num_instances"),
        ("images without instances", "num_background_images"),
        ("crowd regions", "num_crowds"),
    ]
    rows = [
        [title, *(str(getattr(split, name)) for split in splits.values())] for title, name in counts
    ]
    classes = {name: None for split in splits.values() for name in split.instances_per_class}
    rows += [
        [
            f"class {name}",
            *(str(split.instances_per_class.get(name, 0)) for split in splits.values()),
        ]
        for name in classes
    ]
    console.show_table(["", *splits], rows)
    for finding in report.findings:
        console.show(_text(finding))
    num_errors = sum(finding.count for finding in report.errors)
    verdict = "can be trained on" if report.verdict == "pass" else f"has {num_errors} errors"
    console.show(f"{report.verdict}: the dataset {verdict}")


def _text(finding: Finding) -> str:
    places = list(finding.places[:PLACES_SHOWN])
    if finding.count > len(places):
        places.append(f"and {finding.count - len(places)} more")
    lines = [f"{finding.severity}: {finding.message} ({finding.count} x {finding.code})"]
    lines += [f"{'where:' if index == 0 else '':<6} {place}" for index, place in enumerate(places)]
    return "\n".join([*lines, f"fix:   {finding.remedy}", ""])
