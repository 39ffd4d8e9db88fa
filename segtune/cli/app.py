"""Every command in one list, and the one place where errors become text and exit status."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import segtune
from segtune.cli import (
    check_dataset,
    console,
    convert,
    demo,
    doctor,
    evaluate,
    export,
    merge,
    models,
    pipeline,
    predict,
    recipes,
    registry,
    replay,
    sample,
    split,
    train,
)
from segtune.errors import SegtuneError

EXIT_MISUSE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count

PATH_TO_A_MODEL = """\
segtune check-dataset DATA                                       is the dataset sound?
segtune train --recipe pp_yoloe_seg_s --data DATA                fine-tune; writes runs/RUN
segtune eval runs/RUN --data DATA                                mask and box AP
segtune predict --model runs/RUN PICTURES                        look at what it finds
segtune registry register runs/RUN --name NAME --alias champion  keep it: models:/NAME@champion
"""


class ErrorBoundary(TyperGroup):
    """Turns what users can cause into text on stderr; anything else keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:  # typer's context class has moved between its versions
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except SegtuneError as error:
            console.show_error(error)
            raise typer.Exit(EXIT_MISUSE) from error
        except KeyboardInterrupt as interrupt:
            # Work that can be taken up again leaves the command for that in the interrupt.
            hint = f"; continue with: {interrupt}" if interrupt.args else ""
            console.note(f"stopped{hint}")
            raise typer.Exit(EXIT_INTERRUPTED) from interrupt


app = typer.Typer(
    name="segtune",
    cls=ErrorBoundary,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Fine-tune and manage instance segmentation models of the PaddlePaddle world."""
    if version:
        console.show(f"segtune {segtune.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.show(f"From a dataset to a registered model:\n\n{PATH_TO_A_MODEL}")
        console.show("`segtune demo` shows all of it; `segtune --help` lists the commands.")


app.command("check-dataset")(check_dataset.check_dataset)
app.command("convert")(convert.convert)
app.command("split")(split.split)
app.command("merge")(merge.merge)
app.command("sample")(sample.sample)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("export")(export.export)
app.command("predict")(predict.predict)
app.command("models")(models.models)
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(recipes.app, name="recipes")
app.add_typer(registry.app, name="registry")
app.command("replay")(replay.replay)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the `segtune` command with the arguments of this process."""
    warnings.showwarning = console.show_warning
    app(prog_name="segtune")
