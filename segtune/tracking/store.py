"""Which MLflow store is used, and a quiet connection to it whose calls end in bounded time."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from segtune.errors import DependencyError, RecipeError, SegtuneError

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

# Set only where the user has set nothing. MLflow's own bounds are 120 s and seven retries.
_SURROUNDINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

# Answers that stay the same however often one asks.
_REFUSALS = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_PARAMETER_VALUE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
        "NOT_FOUND",
        "ENDPOINT_NOT_FOUND",
        "PERMISSION_DENIED",
    }
)


def tracking_uri(recipe_uri: str | None, workspace: Path) -> str:
    """Return the store to use: the recipe's, MLFLOW_TRACKING_URI, or mlflow.db in `workspace`.

    Args:
        recipe_uri: What the recipe or the command line says, if anything.
        workspace: The folder that the runs folder lies in.
    """
    chosen = recipe_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not chosen:
        return f"sqlite:///{(workspace.resolve() / 'mlflow.db').as_posix()}"
    database = database_file(chosen)
    return chosen if database is None else f"sqlite:///{database.as_posix()}"


def database_file(uri: str) -> Path | None:
    """Return the absolute path of a SQLite store's file, or None for any other store."""
    match = re.fullmatch(r"sqlite:///(.+)", uri)
    return Path(match[1]).resolve() if match else None


def connect(uri: str) -> MlflowClient:
    """Return a client of the store at `uri`; a SQLite file that is not there is made.

    MLflow's log lines, progress bars and telemetry stay off, unless the user's environment asks
    for them.

    Raises:
        RecipeError: The store cannot be opened, or MLflow has no such kind of store.
        DependencyError: The store needs a database driver that is not installed.
    """
    for name, value in _SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations between MLflow and SQLAlchemy
            from mlflow import MlflowClient

            with explained(uri, RecipeError):
                return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the tracking store needs the package {error.name}",
            where=uri,
            remedy=f"pip install {error.name}",
        ) from error


@contextmanager
def explained(uri: str, kind: type[SegtuneError]) -> Iterator[None]:
    """Turn any failure of the store within the block into an error of type `kind`."""
    try:
        yield
    except store_errors() as error:
        remedy = (
            "check what the message names"
            if is_refusal(error)
            else "start the tracking server, or choose another store by MLFLOW_TRACKING_URI"
        )
        raise kind(f"MLflow cannot do this: {reason(error)}", where=uri, remedy=remedy) from error


def store_errors() -> tuple[type[Exception], ...]:
    """Return what calls to MLflow raise when the store fails or refuses."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError


def unless_unknown(ask: Callable[[], T]) -> T | None:
    """Return the answer of the store, or None when it does not know what is asked for."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
            return None
        raise


def is_refusal(error: Exception) -> bool:
    """Tell whether asking again is useless, as opposed to a store that is out of reach."""
    return getattr(error, "error_code", None) in _REFUSALS or isinstance(error, FileNotFoundError)


def reason(error: Exception) -> str:
    """Return the first line of what MLflow says, without the chain of causes behind it."""
    text = str(error).strip() or type(error).__name__
    unreachable = re.search(r"API request to (\S+?)/api/\S* failed", text)
    if unreachable:
        return f"no answer from {unreachable[1]}"
    return text.splitlines()[0]
