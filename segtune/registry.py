"""Use case: bundles registered in MLflow under a name, and found again by version or alias."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtune.bundle import BundleInfo, is_bundle, read_info
from segtune.errors import RegistryError
from segtune.evaluation.report import MAIN_METRIC
from segtune.recipe import TrackingRecipe
from segtune.tracking import (
    BUNDLE_TAG,
    bundle_digest,
    connect,
    explained,
    local_copy,
    open_experiment,
    tracking_uri,
    upload_bundle,
)
from segtune.tracking.store import database_file, unless_unknown
from segtune.training.result import read_result
from segtune.training.run_folder import RunFolder, is_run_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ALIAS = re.compile(r"(?!(?i:latest)$)(?!(?i:v)\d+$)[A-Za-z0-9_-]+")
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+))")
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_PAGE = 1000
_TAG_LENGTH = 5000  # what older MLflow servers take


@dataclass(frozen=True)
class RegisteredVersion:
    """One registered bundle.

    Attributes:
        name: Of the registered model.
        version: 1, 2, ... within that name.
        aliases: Such as "champion"; they move from version to version.
        run_id: The MLflow run it came from.
        model_name: A name of the zoo; None when something else registered it.
        mask_ap: Of the run on its validation split, a fraction; None when it is not known.
        source: Where MLflow keeps the bundle.
        created: When it was registered.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    run_id: str | None
    model_name: str | None
    mask_ap: float | None
    source: str
    created: datetime

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON values."""
        return {**asdict(self), "aliases": list(self.aliases), "created": self.created.isoformat()}


@dataclass(frozen=True)
class RegisteredModel:
    """A name in the registry and its versions, the newest first; there may be none."""

    name: str
    versions: tuple[RegisteredVersion, ...]

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON values."""
        return {"name": self.name, "versions": [version.to_json() for version in self.versions]}


@dataclass(frozen=True)
class _Candidate:
    """What the user wants to register: a bundle here, an MLflow run, or both."""

    title: str
    bundle: Path | None
    run_id: str | None
    mask_ap: float | None = None
    fingerprint: str | None = None


def is_model_uri(reference: str) -> bool:
    """Tell whether a model reference means the registry."""
    return reference.startswith("models:")


def register(
    run: str,
    *,
    name: str,
    alias: str | None = None,
    uri: str | None = None,
    runs: Path = Path("runs"),
) -> RegisteredVersion:
    """Register a bundle as a new version of `name` and return that version.

    The bundle is uploaded first unless the run's files hold it whole. A bundle or run that this
    store does not know gets an MLflow run of its own.

    Args:
        run: A run folder, its name within `runs`, a bundle folder, or the id of an MLflow run.
        name: Of the registered model; it is made when it is new.
        alias: Moves to the new version.
        uri: The MLflow store; default as in `tracking_uri`.
        runs: Where run folders lie.

    Raises:
        RegistryError: A name is not allowed, there is no such run, or MLflow does not answer.
        BundleError: The bundle is damaged.
    """
    _check_names(name, alias)
    candidate = _find(run, runs)
    info = None if candidate.bundle is None else read_info(candidate.bundle)
    store = tracking_uri(uri, Path.cwd())
    client = connect(store)
    with explained(store, RegistryError):
        origin = _origin(client, store, candidate)
        if candidate.bundle is not None:
            place = upload_bundle(client, origin.info.run_id, candidate.bundle)
        else:
            place = _bundle_of_run(origin)
        source = f"{origin.info.artifact_uri}/{place}"
        folder = candidate.bundle or _local_copy(store, source, name)
        tags = _tags(info or read_info(folder), bundle_digest(folder))
        tags |= _tags_of_run(client, origin, candidate)
        if name not in _names(client):
            client.create_registered_model(name)
        version = client.create_model_version(name, source, origin.info.run_id, tags=tags)
        if alias is not None:
            client.set_registered_model_alias(name, alias, version.version)
        return _find_version(_model(client, name, store), version=int(version.version))


def list_models(uri: str | None = None) -> list[RegisteredModel]:
    """Return every registered model, by name. Raises RegistryError when MLflow does not answer."""
    store = tracking_uri(uri, Path.cwd())
    if _is_absent(store):
        return []
    client = connect(store)
    with explained(store, RegistryError):
        return [_model(client, name, store) for name in _names(client)]


def show(name: str, uri: str | None = None) -> RegisteredModel:
    """Return a registered model with all its versions.

    Raises:
        RegistryError: There is no such name, or MLflow does not answer.
    """
    store = tracking_uri(uri, Path.cwd())
    if _is_absent(store):
        raise _no_such_name(name, [], store)
    client = connect(store)
    with explained(store, RegistryError):
        return _model(client, name, store)


def resolve_uri(reference: str, uri: str | None = None) -> Path:
    """Return the local bundle folder that `models:/pens@champion` or `models:/pens/3` means.

    A bundle that MLflow keeps elsewhere is downloaded once into segtune's cache.

    Raises:
        RegistryError: The reference cannot be read, nothing has that name, version or alias,
            its files are gone or damaged, or MLflow does not answer.
    """
    parts = _MODEL_URI.fullmatch(reference)
    if parts is None:
        raise RegistryError(
            f"{reference!r} does not name a registered version",
            remedy="write models:/NAME@ALIAS, as models:/pens@champion, or models:/NAME/VERSION",
        )
    model = show(parts["name"], uri)
    number = None if parts["version"] is None else int(parts["version"])
    version = _find_version(model, alias=parts["alias"], version=number)
    store = tracking_uri(uri, Path.cwd())
    with explained(store, RegistryError):
        return _local_copy(store, version.source, reference)


def _check_names(name: str, alias: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} cannot name a registered model",
            remedy="use letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise RegistryError(
            f"{alias!r} cannot be an alias",
            remedy="use letters, digits, '_' and '-'; 'latest' and v1, v2, ... are taken",
        )


def _find(run: str, runs: Path) -> _Candidate:
    """Find out what `run` means, by looking at the disk before the store."""
    for folder in (Path(run), runs / run):
        if is_bundle(folder):
            return _Candidate(folder.resolve().name, folder, None)
        if is_run_folder(folder):
            return _candidate_of_run_folder(RunFolder(folder))
    if _RUN_ID.fullmatch(run):
        return _Candidate(run, None, run)
    raise RegistryError(
        f"there is no run {run!r}",
        where=str(runs),
        remedy="give a run folder, a bundle folder (with inference.yml), or an MLflow run id",
    )


def _candidate_of_run_folder(folder: RunFolder) -> _Candidate:
    if not folder.result.is_file():
        raise RegistryError(
            f"the run {folder.path} has not ended, so it has no bundle yet",
            where=str(folder.result),
            remedy=f"continue it: segtune train --resume {folder.path}",
        )
    result = read_result(folder.result)
    return _Candidate(
        title=folder.path.resolve().name,
        bundle=folder.bundle,
        run_id=result.mlflow_run_id,
        mask_ap=result.metrics[MAIN_METRIC],
        fingerprint=result.dataset_fingerprint,
    )


def _origin(client: MlflowClient, store: str, candidate: _Candidate) -> Run:
    """Return the MLflow run that the version belongs to; make one where there is none."""
    if candidate.run_id is not None:
        run = unless_unknown(lambda: client.get_run(candidate.run_id))
        if run is not None:
            return run
        if candidate.bundle is None:
            raise RegistryError(
                f"MLflow has no run {candidate.run_id}",
                where=store,
                remedy="give the store it was recorded in by MLFLOW_TRACKING_URI",
            )
    experiment = open_experiment(client, store, TrackingRecipe().experiment)
    tags = {"segtune.registered_from": str(candidate.bundle)}
    run = client.create_run(experiment, run_name=candidate.title, tags=tags)
    client.set_terminated(run.info.run_id, "FINISHED")
    return run


def _bundle_of_run(run: Run) -> str:
    place = run.data.tags.get(BUNDLE_TAG)
    if place is None:
        raise RegistryError(
            f"the MLflow run {run.info.run_id} holds no bundle",
            remedy="wait until it has ended, or register its run folder",
        )
    return str(place)


def _tags(info: BundleInfo, digest: str) -> dict[str, str]:
    """Return what a version says about its bundle in MLflow."""
    return {
        "model_name": info.model_name,
        "categories": ", ".join(info.categories.names)[:_TAG_LENGTH],
        "bundle_sha256": digest,
    }


def _tags_of_run(client: MlflowClient, run: Run, candidate: _Candidate) -> dict[str, str]:
    """Return what a version says about the run it came from; nothing that is not known."""
    tags = {}
    mask_ap, fingerprint = candidate.mask_ap, candidate.fingerprint
    if mask_ap is None:  # the bundle is the best of its run
        history = client.get_metric_history(run.info.run_id, MAIN_METRIC)
        mask_ap = max((metric.value for metric in history), default=None)
    if fingerprint is None:
        inputs = run.inputs.dataset_inputs if run.inputs else []
        fingerprint = next((given.dataset.digest for given in inputs), None)
    if mask_ap is not None:
        tags["mask_ap"] = repr(float(mask_ap))
    if fingerprint is not None:
        tags["dataset_fingerprint"] = fingerprint
    return tags


def _names(client: MlflowClient) -> list[str]:
    return sorted(model.name for model in _all(client.search_registered_models))


def _all(search: Callable[..., Any]) -> list[Any]:
    """Return the entries of all pages of a search."""
    entries: list[Any] = []
    token = None
    while True:
        page = search(max_results=_PAGE, page_token=token)
        entries.extend(page)
        token = page.token
        if not token:
            return entries


def _model(client: MlflowClient, name: str, store: str) -> RegisteredModel:
    registered = unless_unknown(lambda: client.get_registered_model(name))
    if registered is None:
        raise _no_such_name(name, _names(client), store)
    aliases: dict[int, list[str]] = {}
    for alias, version in registered.aliases.items():
        aliases.setdefault(int(version), []).append(alias)
    quote = '"' if "'" in name else "'"
    found = _all(partial(client.search_model_versions, f"name = {quote}{name}{quote}"))
    versions = [_version(entry, aliases.get(int(entry.version), [])) for entry in found]
    return RegisteredModel(name, tuple(sorted(versions, key=lambda v: -v.version)))


def _version(entry: ModelVersion, aliases: Iterable[str]) -> RegisteredVersion:
    return RegisteredVersion(
        name=entry.name,
        version=int(entry.version),
        aliases=tuple(sorted(aliases)),
        run_id=entry.run_id or None,
        model_name=entry.tags.get("model_name"),
        mask_ap=_number(entry.tags.get("mask_ap")),
        source=entry.source,
        created=datetime.fromtimestamp(entry.creation_timestamp / 1000, tz=timezone.utc),
    )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:  # a version of someone else's making
        return None


def _find_version(
    model: RegisteredModel, *, alias: str | None = None, version: int | None = None
) -> RegisteredVersion:
    for entry in model.versions:
        if entry.version == version or alias in entry.aliases:
            return entry
    sought = f"alias {alias!r}" if alias is not None else f"version {version}"
    versions = ", ".join(str(entry.version) for entry in reversed(model.versions))
    aliases = ", ".join(sorted(name for entry in model.versions for name in entry.aliases))
    raise RegistryError(
        f"the registered model {model.name} has no {sought}",
        remedy=f"versions: {versions or 'none'}; aliases: {aliases or 'none'}",
    )


def _no_such_name(name: str, known: list[str], store: str) -> RegistryError:
    return RegistryError(
        f"no model is registered as {name!r}",
        where=store,
        remedy=f"registered are: {', '.join(known)}"
        if known
        else "register one: segtune registry register RUN --name NAME",
    )


def _is_absent(store: str) -> bool:
    """Tell whether the store is a database file that is not there, and need not be made."""
    database = database_file(store)
    return database is not None and not database.exists()


def _local_copy(store: str, source: str, title: str) -> Path:
    folder = local_copy(store, source)
    if not is_bundle(folder):
        raise RegistryError(
            f"the files of {title} are gone or are no bundle",
            where=str(folder),
            remedy="register the run again",
        )
    return folder
