"""A bundle as files of an MLflow run, under a name made from its content.

A later bundle of the same run lies beside the earlier one, so what was registered never changes.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from segtune.cache import cache_folder
from segtune.errors import RegistryError
from segtune.files import atomic_folder
from segtune.tracking.store import explained

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Run tag that names the newest bundle among the run's artifacts.
BUNDLE_TAG = "segtune.bundle"


def bundle_digest(folder: Path) -> str:
    """Return the SHA-256 of all files of a bundle, names and contents."""
    whole = hashlib.sha256()
    for file in _files(folder):
        whole.update(f"{file.relative_to(folder).as_posix()}\n".encode())
        content = hashlib.sha256()
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                content.update(chunk)
        whole.update(content.digest())
    return whole.hexdigest()


def upload_bundle(client: MlflowClient, run_id: str, folder: Path) -> str:
    """Put a bundle among a run's artifacts, unless it is there whole; return its path there."""
    place = f"bundle/{bundle_digest(folder)[:12]}"
    here = {file.relative_to(folder).as_posix(): file.stat().st_size for file in _files(folder)}
    if _stored_sizes(client, run_id, place) != here:
        client.log_artifacts(run_id, str(folder), place)
    client.set_tag(run_id, BUNDLE_TAG, place)
    return place


def local_copy(uri: str, source: str) -> Path:
    """Return a local folder with the files of an artifact folder, downloaded once if need be.

    Args:
        uri: The store.
        source: Address of the artifact folder; a local one need not exist.

    Raises:
        RegistryError: The files cannot be fetched.
        OutputError: The cache cannot be written to.
    """
    if source.startswith("file:"):
        return Path(url2pathname(urlsplit(source).path))
    if not re.match(r"[\w-]{2,}:/", source):
        return Path(source)
    from mlflow.artifacts import download_artifacts

    key = hashlib.sha256(f"{uri} {source}".encode()).hexdigest()[:24]
    cached = cache_folder() / "registry" / key
    name = source.rstrip("/").rpartition("/")[2]
    if not (cached / name).is_dir():
        with atomic_folder(cached, replace=True) as beside, explained(uri, RegistryError):
            download_artifacts(source, dst_path=str(beside), tracking_uri=uri)
    return cached / name


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _stored_sizes(client: MlflowClient, run_id: str, place: str) -> dict[str, int]:
    """Return the sizes of the files stored below `place`, by their path relative to it."""
    sizes = {}
    for entry in client.list_artifacts(run_id, place):
        if entry.is_dir:
            for name, size in _stored_sizes(client, run_id, entry.path).items():
                sizes[f"{entry.path.removeprefix(place + '/')}/{name}"] = size
        else:
            sizes[entry.path.removeprefix(place + "/")] = entry.file_size
    return sizes
