"""`segtune check-dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segtune.cli import console, dataset_summary, options, repair_table
from segtune.errors import RecipeError

if TYPE_CHECKING:
    from segtune.recipe import DataRecipe, Recipe

EXIT_FAULTY = 1


def check_dataset(
    root: Annotated[
        Path | None,
        typer.Argument(help="Folder with images/ and annotations/instance_{train,val}.json."),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="COCO file of the training split.")] = None,
    val: Annotated[Path | None, typer.Option(help="COCO file of the validation split.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images.")] = None,
    skip_images: Annotated[
        bool, typer.Option("--skip-images", help="Check the annotations only, which takes seconds.")
    ] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help="Hold the dataset against this recipe's model and image size as well; "
            "it also names the dataset if nothing else does.",
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Decode every image, also those checked before.")
    ] = False,
    report_folder: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Also write DIR/report.html with pictures of every finding, and PaddleX's "
            "check_dataset_result.json.",
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            metavar="OUT_DIR",
            help="Write a copy, repaired where that needs no guessing, and check the copy.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Look for every fault of a COCO dataset. Exit status 1 if there is one."""
    from segtune.check_dataset import check_dataset as check
    from segtune.data.layout import locate
    from segtune.recipe_files import load_recipe

    if report_folder is not None:
        from segtune.dataset_report.folder import refuse_taken

        refuse_taken(report_folder)
    planned = None if recipe is None else load_recipe(recipe)
    files = locate(_data(root, train, val, images, planned), Path.cwd())
    reporter = console.reporter()
    repair = None
    if fix is not None:
        from segtune.repair_dataset import repair_dataset

        repair = repair_dataset(files, fix, reporter=reporter)
        files = repair.files
    report = check(
        files,
        recipe=planned,
        skip_images=skip_images,
        use_cache=not no_cache,
        reporter=reporter,
    )
    page = None
    if report_folder is not None:
        from segtune.dataset_report.folder import write_report

        page = write_report(report, files, report_folder, reporter=reporter)
    if as_json:
        listed = {} if repair is None else {"repair": repair.to_json()}
        console.show_json(report.to_json() | listed)
        if page is not None:
            console.note(f"report: {page}")
    else:
        if repair is not None:
            repair_table.show(repair)
        dataset_summary.show(report, page)
    if report.verdict != "pass":
        raise typer.Exit(EXIT_FAULTY)


def _data(
    root: Path | None,
    train: Path | None,
    val: Path | None,
    images: Path | None,
    recipe: Recipe | None,
) -> DataRecipe:
    """Return where the dataset lies by the arguments, or else by the recipe."""
    from segtune.recipe import DataRecipe

    by_files = [path for path in (train, val, images) if path is not None]
    if root is None and not by_files and recipe is not None:
        return recipe.data
    if (root is None and len(by_files) < 3) or (root is not None and by_files):
        raise RecipeError(
            "the dataset is not named, or named twice",
            where="segtune check-dataset",
            remedy="give its folder, or --train, --val and --images, or a --recipe that names it",
        )
    return DataRecipe(root=root, train=train, val=val, images=images)
