"""`segtune check-dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segtune.cli import console, dataset_summary, options
from segtune.errors import RecipeError

EXIT_FAULTY = 1


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
        if page is not None:
            console.note(f"report: {page}")
    else:
        dataset_summary.show(report, page)
    if report.verdict != "pass":
        raise typer.Exit(EXIT_FAULTY)
