from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import segtune
from segtune.cli import app as app_module
from segtune.cli import console
from segtune.cli.app import app
from segtune.errors import RecipeError
from segtune.recipe_files import list_recipes

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "check-dataset",
    "convert",
    "split",
    "merge",
    "sample",
    "train",
    "eval",
    "export",
    "predict",
    "models",
    "recipes",
    "registry",
    "replay",
    "doctor",
    "demo",
}


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _process(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | more,
    )


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from segtune.cli.app import app\n"
        "try:\n"
        "    app(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'paddle', 'mlflow', 'numpy', 'cv2', 'pydantic', 'yaml', 'matplotlib'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )

    done = _process("-c", script)

    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["recipes", "list"],
        ["check-dataset", "nowhere"],
        ["train", "--recipe", "nowhere.yaml"],
        ["registry", "--help"],
        ["convert", "nowhere", "out"],
        ["split", "nowhere", "out", "--val", "0.2"],
        ["replay", "nowhere"],
    ],
    ids=" ".join,
)
def test_light_commands_never_import_paddle_or_mlflow(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from segtune.cli.app import app\n"
        "try:\n"
        f"    app({arguments!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('LOADED', sorted({'paddle', 'mlflow'} & set(sys.modules)))\n"
    )

    assert "LOADED []" in _process("-c", script).stdout


def test_without_arguments_the_path_to_a_registered_model_is_shown_in_five_lines() -> None:
    shown = _run()

    assert shown.exit_code == 0
    steps = [line for line in shown.stdout.splitlines() if line.startswith("segtune ")]
    assert [step.split()[1] for step in steps] == [
        "check-dataset",
        "train",
        "eval",
        "predict",
        "registry",
    ]


def test_the_version_is_that_of_the_package() -> None:
    assert _run("--version").stdout == f"segtune {segtune.__version__}\n"
    assert metadata.version("segtune") == segtune.__version__


def test_every_command_explains_itself() -> None:
    for command in COMMANDS:
        shown = _run(command, "--help")
        assert shown.exit_code == 0, command
        assert "Usage" in shown.stdout


def test_errors_of_the_user_are_text_on_stderr_and_status_2(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RecipeError("it is wrong", where="there", remedy="do this")

    monkeypatch.setattr(console, "show", lambda text: fail())

    shown = _run("--version")

    assert shown.exit_code == 2
    assert shown.stderr == "error: it is wrong\nwhere: there\nfix:   do this\n"
    assert shown.stdout == ""


def test_other_errors_keep_their_traceback() -> None:
    script = (
        "from segtune.cli import app, console\n"
        "def broken(text):\n"
        "    raise ZeroDivisionError('a bug')\n"
        "console.show = broken\n"
        "app.app(['--version'])\n"
    )

    done = _process("-c", script)

    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: a bug\n")


def test_ctrl_c_ends_with_one_line_and_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "show", lambda text: signal.raise_signal(signal.SIGINT))

    shown = _run("--version")

    assert shown.exit_code == app_module.EXIT_INTERRUPTED == 130
    assert shown.stderr == "stopped\n"


def test_an_interrupt_that_knows_how_to_go_on_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(text: str) -> None:
        raise KeyboardInterrupt("segtune train --resume runs/a-1")

    monkeypatch.setattr(console, "show", stop)

    shown = _run("--version")

    assert shown.exit_code == 130
    assert shown.stderr == "stopped; continue with: segtune train --resume runs/a-1\n"


def test_the_module_runs_as_the_command() -> None:
    done = _process("-m", "segtune", "trian")

    assert done.returncode == 2
    assert "Did you mean 'train'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_completion_knows_the_commands() -> None:
    done = _process(
        "-m",
        "segtune",
        _SEGTUNE_COMPLETE="complete_bash",
        COMP_WORDS="segtune re",
        COMP_CWORD="1",
    )

    assert set(done.stdout.split()) == {"recipes", "registry", "replay"}


def test_models_are_the_fifteen_as_table_and_as_json() -> None:
    models = json.loads(_run("models", "--json").stdout)

    assert len(models) == 15
    assert {model["recipe"] for model in models} <= set(list_recipes())
    table = _run("models").stdout
    assert all(model["name"] in table for model in models)


def test_an_empty_registry_says_so_beside_its_table_and_is_an_empty_list_as_json(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"

    shown = _run("registry", "list", "--uri", store)

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "no model is registered here" in shown.stderr
    assert json.loads(_run("registry", "list", "--uri", store, "--json").stdout) == []
    assert list(tmp_path.iterdir()) == []


def test_recipes_are_listed_shown_checked_and_described(tmp_path: Path) -> None:
    listed = json.loads(_run("recipes", "list", "--json").stdout)
    assert {"name": "pp_yoloe_seg_s", "model": "PP-YOLOE_seg-S"} in listed
    assert "pp_yoloe_seg_s_scratch" in _run("recipes", "list").stdout

    shown = _run("recipes", "show", "pp_yoloe_seg_s", "--set", "optimizer.lr=2e-4")
    assert "lr: 0.0002" in shown.stdout
    (tmp_path / "mine.yaml").write_text(shown.stdout, encoding="utf-8")
    assert (
        "sound recipe for PP-YOLOE_seg-S"
        in _run("recipes", "validate", tmp_path / "mine.yaml").stdout
    )
    assert json.loads(_run("recipes", "schema").stdout)["required"] == ["model"]
