"""How training records a run: what it is, its figures and its files."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from segtune.errors import RecipeError
from segtune.progress import Reporter, SilentReporter
from segtune.tracking.bundles import upload_bundle
from segtune.tracking.store import (
    connect,
    database_file,
    explained,
    is_refusal,
    reason,
    store_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Param

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]

# Limits of MLflow 3 (mlflow/utils/validation.py).
_PARAMS_PER_CALL = 100
_PARAM_LENGTH = 6000
_DIGEST_LENGTH = 36


class Tracker(Protocol):
    """Where a run is recorded. Once it has started, no method raises because of the store."""

    def start(
        self, run_name: str, params: Mapping[str, object], tags: Mapping[str, str]
    ) -> str | None:
        """Begin a run and return its id; `params` may be nested, as a resolved recipe is."""

    def resume(self, run_id: str) -> None:
        """Go on with a run that was begun earlier."""

    def log_dataset(
        self,
        name: str,
        annotation_file: Path,
        fingerprint: str,
        statistics: Mapping[str, object],
        *,
        context: str,
    ) -> None:
        """Record what the run reads; `context` is "training" or "validation"."""

    def log_epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """Record the figures of an epoch; `step` is the number they are drawn over."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Record a file, below `folder` of the run's files."""

    def log_bundle(self, folder: Path) -> None:
        """Record an exported model, so that it can be registered."""

    def finish(self, status: RunStatus) -> None:
        """End the run."""


class NullTracker:
    """Records nothing."""

    def start(
        self, run_name: str, params: Mapping[str, object], tags: Mapping[str, str]
    ) -> str | None:
        """Return None; there is no run."""
        return None

    def resume(self, run_id: str) -> None:
        """Do nothing."""

    def log_dataset(
        self,
        name: str,
        annotation_file: Path,
        fingerprint: str,
        statistics: Mapping[str, object],
        *,
        context: str,
    ) -> None:
        """Do nothing."""

    def log_epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Do nothing."""

    def log_bundle(self, folder: Path) -> None:
        """Do nothing."""

    def finish(self, status: RunStatus) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class _Record:
    """One call that the store has not taken yet; a later one of the same title replaces it."""

    title: str
    send: Callable[[MlflowClient, str], Any]


class MlflowTracker:
    """Records a run in MLflow, and lets training go on when the store does not answer.

    What cannot be sent is kept in order and sent when the store is back.

    Args:
        uri: The store, from `tracking_uri`.
        experiment: MLflow experiment; it is made when it is not there.
        reporter: Is told once when the store is lost, and once when it is back.
        retry_after_s: How long a store that did not answer is left alone; ten times as long as
            it made training wait, if that is more.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        *,
        reporter: Reporter | None = None,
        retry_after_s: float = 30.0,
    ) -> None:
        self._uri = uri
        self._experiment = experiment
        self._reporter: Reporter = reporter or SilentReporter()
        self._retry_after_s = retry_after_s
        self._client: MlflowClient | None = None
        self._run_id = ""
        self._unsent: list[_Record] = []
        self._is_lost = False
        self._retry_at = 0.0
        self._refusals: set[str] = set()

    def start(self, run_name: str, params: Mapping[str, object], tags: Mapping[str, str]) -> str:
        """Begin a run and return its id.

        Raises:
            RecipeError: The store cannot be opened or does not answer.
        """
        self._client = connect(self._uri)
        with explained(self._uri, RecipeError):
            experiment_id = open_experiment(self._client, self._uri, self._experiment)
            run = self._client.create_run(experiment_id, run_name=run_name, tags=dict(tags))
        self._run_id = run.info.run_id
        self._log_params(_flat(params))
        return self._run_id

    def resume(self, run_id: str) -> None:
        """Go on with a run that was begun earlier, whether or not the store answers now.

        Raises:
            RecipeError: The store cannot be opened, or lacks this run.
        """
        self._client = connect(self._uri)
        self._run_id = run_id
        with explained(self._uri, RecipeError):
            asked_at = time.monotonic()
            try:
                self._client.update_run(run_id, status="RUNNING")
            except store_errors() as error:
                if is_refusal(error):
                    raise
                self._lose(error, waited_s=time.monotonic() - asked_at)

    def log_dataset(
        self,
        name: str,
        annotation_file: Path,
        fingerprint: str,
        statistics: Mapping[str, object],
        *,
        context: str,
    ) -> None:
        """Record what the run reads among its inputs; MLflow keeps 36 digits of the digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=name,
            digest=fingerprint[:_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": annotation_file.resolve().as_uri()}),
            profile=json.dumps({**statistics, "fingerprint": fingerprint}),
        )
        tags = [InputTag("mlflow.data.context", context)]
        inputs = [DatasetInput(dataset, tags)]
        self._send(f"dataset {name}", lambda client, run: client.log_inputs(run, inputs))

    def log_epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """Record the figures of an epoch, with the time of this call."""
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        rows = [Metric(_key(name), value, now_ms, step) for name, value in metrics.items()]
        self._send(f"metrics of {step}", lambda client, run: client.log_batch(run, metrics=rows))

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Record a file; when it waits for the store, what is sent is its newest content."""
        self._send(
            f"file {folder or ''}/{path.name}",
            lambda client, run: client.log_artifact(run, str(path), folder),
        )

    def log_bundle(self, folder: Path) -> None:
        """Record an exported model, so that it can be registered."""
        self._send("bundle", lambda client, run: upload_bundle(client, run, folder))

    def finish(self, status: RunStatus) -> None:
        """End the run, after a last attempt to send what is still here."""
        self._send("end", lambda client, run: client.set_terminated(run, status), at_once=True)
        if self._unsent:
            self._reporter.say(
                f"MLflow at {self._uri} never came back: {len(self._unsent)} records of run "
                f"{self._run_id} were not sent; the run folder has them all"
            )

    def _log_params(self, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        rows = [Param(_key(name), value[:_PARAM_LENGTH]) for name, value in params.items()]
        for first in range(0, len(rows), _PARAMS_PER_CALL):
            some = rows[first : first + _PARAMS_PER_CALL]
            self._send(f"parameters from {first}", partial(_send_params, some))

    def _send(
        self, title: str, send: Callable[[MlflowClient, str], Any], *, at_once: bool = False
    ) -> None:
        """Queue a call and send all that wait, unless the store failed a moment ago."""
        self._unsent = [record for record in self._unsent if record.title != title]
        self._unsent.append(_Record(title, send))
        if at_once or not self._is_lost or time.monotonic() >= self._retry_at:
            self._flush()

    def _flush(self) -> None:
        assert self._client is not None, "start() or resume() comes first"
        count = len(self._unsent)
        while self._unsent:
            record = self._unsent[0]
            asked_at = time.monotonic()
            try:
                record.send(self._client, self._run_id)
            except store_errors() as error:
                if not is_refusal(error):
                    self._lose(error, waited_s=time.monotonic() - asked_at)
                    return
                self._say_once(f"MLflow does not take the {record.title}", reason(error))
            self._unsent.pop(0)
        if self._is_lost:
            self._is_lost = False
            self._reporter.say(f"MLflow at {self._uri} is back; sent {count} records")

    def _lose(self, error: Exception, *, waited_s: float) -> None:
        if not self._is_lost:
            self._reporter.say(
                f"MLflow at {self._uri} does not answer ({reason(error)}); training goes on, "
                "and what is recorded will be sent when it is back"
            )
        self._is_lost = True
        self._retry_at = time.monotonic() + max(self._retry_after_s, 10 * waited_s)

    def _say_once(self, problem: str, why: str) -> None:
        if why not in self._refusals:
            self._refusals.add(why)
            self._reporter.say(f"{problem}: {why}")


def open_experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of an experiment, which is made when it is not there.

    Files of a SQLite store go to `mlartifacts` beside the database, wherever the process runs.

    Raises:
        RecipeError: The experiment was deleted in MLflow.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        database = database_file(uri)
        artifacts = None if database is None else (database.parent / "mlartifacts").as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(name)  # another run was faster
    if experiment.lifecycle_stage != "active":
        raise RecipeError(
            f"the MLflow experiment {name} was deleted",
            where="tracking.experiment",
            remedy=f"choose another name, or: mlflow experiments restore -x "
            f"{experiment.experiment_id}",
        )
    return str(experiment.experiment_id)


def _send_params(params: list[Param], client: MlflowClient, run_id: str) -> None:
    client.log_batch(run_id, params=params)


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Turn nested settings into text by dotted key: {"ema": {"decay": 0}} is {"ema.decay": "0"}."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _key(name: str) -> str:
    """Replace what MLflow does not take in the name of a figure or parameter."""
    return re.sub(r"[^/\w.\- :]", "_", name)
