"""`segtune recipes list | show | validate | schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from segtune.cli import console, options

app = typer.Typer(help="List, show and check recipes.", no_args_is_help=True)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="YAML file or shipped name.")]


@app.command("list")
def list_all(as_json: options.Json = False) -> None:
    """List the shipped recipes."""
    from segtune.recipe_files import list_recipes, load_recipe

    recipes = {name: load_recipe(name) for name in list_recipes()}
    if as_json:
        console.show_json(
            [{"name": name, "model": recipe.model} for name, recipe in recipes.items()]
        )
        return
    rows = [
        [
            name,
            recipe.model,
            recipe.weights or "random",
            str(recipe.epochs),
            str(recipe.batch_size),
            recipe.optimizer.name,
            f"{recipe.optimizer.lr:g}",
        ]
        for name, recipe in recipes.items()
    ]
    columns = ["recipe", "model", "weights", "epochs", "batch size", "optimizer", "lr"]
    console.show_table(columns, rows)


@app.command("show")
def show(recipe: RecipeName, overrides: options.Overrides = None) -> None:
    """Print a recipe with every key and its value."""
    from segtune.recipe_files import dump_recipe, load_recipe

    console.show(dump_recipe(load_recipe(recipe, overrides or [])).rstrip())


@app.command("validate")
def validate(recipe: RecipeName, overrides: options.Overrides = None) -> None:
    """Check a recipe. All faults come at once, with exit status 2."""
    from segtune.recipe_files import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    console.show(f"{recipe} is a sound recipe for {loaded.model}")


@app.command("schema")
def schema() -> None:
    """Print the JSON schema with which editors complete and check recipes."""
    from segtune.recipe_files import recipe_schema

    console.show_json(recipe_schema())
