"""`segtune registry register | list | show | config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segtune.cli import console, options

if TYPE_CHECKING:
    from segtune.registry import RegisteredVersion

app = typer.Typer(help="Versions of fine-tuned models in MLflow.", no_args_is_help=True)

COLUMNS = ("name", "version", "aliases", "model", "mask AP", "created")
Uri = Annotated[
    str | None,
    typer.Option(
        "--uri", help="MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db beside the runs."
    ),
]


@app.command("register")
def register(
    run: Annotated[str, typer.Argument(help="Run folder or its name, bundle, or MLflow run id.")],
    name: Annotated[str, typer.Option(help="Name of the registered model.")],
    alias: Annotated[str | None, typer.Option(help="Point this alias to the new version.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("runs"),
    uri: Uri = None,
    as_json: options.Json = False,
) -> None:
    """Make the best model of a run a new version of NAME."""
    from segtune.registry import register as register_run

    version = register_run(run, name=name, alias=alias, uri=uri, runs=runs)
    if as_json:
        console.show_json(version.to_json())
    else:
        console.show_table(COLUMNS, [_row(version)])


@app.command("list")
def list_all(uri: Uri = None, as_json: options.Json = False) -> None:
    """List every registered model with its newest version."""
    from segtune.registry import list_models

    models = list_models(uri)
    if as_json:
        console.show_json([model.to_json() for model in models])
        return
    if not models:
        console.note("no model is registered here; `segtune registry register` adds one")
        return
    rows = [
        _row(model.versions[0]) if model.versions else [model.name, "none", "", "", "", ""]
        for model in models
    ]
    console.show_table(COLUMNS, rows)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a registered model.")],
    uri: Uri = None,
    as_json: options.Json = False,
) -> None:
    """Show all versions of a registered model, the newest first."""
    from segtune.registry import show as show_model

    model = show_model(name, uri)
    if as_json:
        console.show_json(model.to_json())
    else:
        console.show_table(COLUMNS, [_row(version) for version in model.versions])


@app.command("config")
def config(
    reference: Annotated[str, typer.Argument(help="models:/NAME@ALIAS or models:/NAME/VERSION.")],
    save_path: Annotated[Path, typer.Option(help="YAML file to write.")],
    schema: Annotated[
        Literal["paddlex3", "paddlex3beta"], typer.Option(help="For which PaddleX.")
    ] = "paddlex3",
    uri: Uri = None,
) -> None:
    """Write a PaddleX pipeline config that points to a registered version."""
    from segtune.errors import OutputError
    from segtune.pipeline_config import write_pipeline_config
    from segtune.registry import resolve_uri

    if save_path.exists():
        raise OutputError(f"{save_path} exists already", remedy="choose another --save-path")
    bundle = resolve_uri(reference, uri)
    write_pipeline_config(save_path, bundle, schema=schema)
    console.show(f"{save_path} points to {bundle}")


def _row(version: RegisteredVersion) -> list[str]:
    return [
        version.name,
        str(version.version),
        ", ".join(version.aliases),
        version.model_name or "-",
        console.percent(version.mask_ap),
        f"{version.created.astimezone():%Y-%m-%d %H:%M}",
    ]
