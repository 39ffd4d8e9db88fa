"""One MLflow database for all tests of this folder; making one takes a second or two."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name needs quoting, with an MLflow database."""
    return tmp_path_factory.mktemp("my runs #1 %é")


@pytest.fixture(scope="session")
def store(workspace: Path) -> str:
    """Address of the database."""
    return f"sqlite:///{workspace.as_posix()}/mlflow.db"
