"""`segtune train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from segtune.cli import console, options
from segtune.errors import RecipeError


def train(
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="YAML file, or a name of `segtune recipes list`."),
    ] = None,
    overrides: options.Overrides = None,
    data: options.DataRoot = None,
    name: Annotated[
        str | None, typer.Option(help="First part of the run folder's name; default: the recipe's.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("runs"),
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Continue this stopped run, exactly."),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with random weights.")
    ] = False,
    check: Annotated[
        Literal["full", "skip"],
        typer.Option(help="Hold the dataset to every rule first, or only read it."),
    ] = "full",
    device: options.DeviceName = "cpu",
    threads: options.Threads = None,
) -> None:
    """Fine-tune a model as a recipe describes, and record the run in MLflow."""
    from segtune import processor
    from segtune.devices import parse_device

    chosen = parse_device(device)
    if resume is not None:
        _refuse_changes(resume, recipe, overrides, data, name, from_scratch, check == "skip")
        processor.import_paddle_quietly(threads)
        from segtune.train import continue_run

        summary = continue_run(
            _run_folder(resume, runs), device=chosen, reporter=console.reporter()
        )
    else:
        from segtune.recipe_files import find_recipe, load_recipe

        if recipe is None:
            raise RecipeError(
                "no recipe is named",
                where="segtune train",
                remedy="give --recipe FILE_OR_NAME (see `segtune recipes list`), or --resume RUN",
            )
        loaded = load_recipe(recipe, [*(overrides or []), *_data_overrides(data)])
        processor.import_paddle_quietly(threads)
        from segtune.train import fine_tune

        summary = fine_tune(
            loaded,
            runs=runs,
            run_name=name or find_recipe(recipe).stem,
            from_scratch=from_scratch,
            check=check,
            device=chosen,
            reporter=console.reporter(),
        )
    console.show_table(
        ["", ""],
        [
            ["mask AP", console.percent(summary.mask_ap)],
            ["box AP", console.percent(summary.box_ap)],
            ["run", str(summary.run_folder)],
            ["checkpoint", str(summary.checkpoint)],
            ["bundle", str(summary.bundle)],
            ["MLflow run", summary.mlflow_run_id or "not tracked"],
        ],
    )


def _data_overrides(root: Path | None) -> list[str]:
    """Return the overrides by which a dataset folder takes the place of the recipe's dataset."""
    if root is None:
        return []
    others = [f"data.{key}=null" for key in ("train", "val", "images")]
    return [f"data.root={json.dumps(str(root))}", *others]


def _run_folder(run: Path, runs: Path) -> Path:
    """Return a run given by its path, or by its name in the folder of runs."""
    return run if run.is_dir() or not (runs / run).is_dir() else runs / run


def _refuse_changes(resume: Path, *changes: object) -> None:
    if any(changes):
        raise RecipeError(
            "a run continues as it began, so it takes no other recipe, data, name or weights",
            where=f"--resume {resume}",
            remedy="leave out the other options, or start a new run without --resume",
        )
