from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segtune.errors import RecipeError, RegistryError
from segtune.tracking import connect, explained, tracking_uri


def test_the_recipe_comes_before_the_environment_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking_uri("https://mine", tmp_path) == "https://mine"
    assert tracking_uri(None, tmp_path) == "http://server:5000"

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_relative_database_means_the_same_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert tracking_uri("sqlite:///a/b.db", Path("elsewhere")) == f"sqlite:///{tmp_path}/a/b.db"
    assert tracking_uri(None, Path()) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("uri", ["ftp://server", "./mlruns", "file:///tmp/mlruns"])
def test_a_kind_of_store_that_mlflow_lacks_is_an_error(uri: str) -> None:
    with pytest.raises(RecipeError) as caught:
        connect(uri).search_experiments()

    assert caught.value.where == uri


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("certainly not a database, but long enough for one" * 9)

    with pytest.raises(RecipeError, match="MLflow cannot do this"):
        connect(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_server_that_is_not_there_is_named_briefly() -> None:
    uri = "http://127.0.0.1:9"
    client = connect(uri)

    with pytest.raises(RegistryError) as caught, explained(uri, RegistryError):
        client.search_experiments()

    assert caught.value.problem == f"MLflow cannot do this: no answer from {uri}"


def test_making_a_database_prints_nothing_and_leaves_nothing_else(tmp_path: Path) -> None:
    program = (
        "from segtune.tracking import MlflowTracker\n"
        f"tracker = MlflowTracker('sqlite:///{tmp_path}/store/mlflow.db', 'segtune')\n"
        "tracker.start('run', {'text': 'x' * 9000}, {})\n"
        f"tracker.log_artifact(__import__('pathlib').Path({__file__!r}), 'files')\n"
        "tracker.finish('FINISHED')\n"
    )
    (tmp_path / "elsewhere").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )

    assert done.stdout == done.stderr == ""
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        "mlartifacts",
        "mlflow.db",
    ]
