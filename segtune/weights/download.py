"""Published weights fetched once into a cache; a file there is always whole."""

from __future__ import annotations

import http.client
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from segtune.cache import cache_folder
from segtune.errors import OutputError, WeightsError
from segtune.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from segtune.zoo import ModelSpec

_CHUNK_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_ATTEMPTS = 4  # each continues where the one before was cut off


class _CutOffError(Exception):
    """The connection ended before the file did."""


def fetch_weights(
    spec: ModelSpec, *, cache: Path | None = None, reporter: Reporter | None = None
) -> Path:
    """Return the local file of a model's published weights, downloaded when it is not there.

    A download that was cut off goes on where it ended, also in a later process.

    Args:
        spec: The row of the zoo.
        cache: Folder to keep the file in; default: `weights` in `cache_folder()`.
        reporter: Is shown the progress in bytes.

    Raises:
        WeightsError: The file is not there and cannot be fetched.
        OutputError: The cache cannot be written to.
    """
    url = spec.weights_url
    folder = cache or cache_folder() / "weights"
    target = folder / Path(urllib.parse.urlsplit(url).path).name
    if target.is_file():
        return target
    if os.environ.get("SEGTUNE_OFFLINE", "0") not in ("", "0"):
        raise _unavailable(spec.name, url, target, "SEGTUNE_OFFLINE is set")
    part = target.with_name(f"{target.name}.part")
    try:
        with _claimed(part, target, reporter or SilentReporter()) as stream:
            if stream is not None:
                _complete(stream, url, reporter or SilentReporter())
                part.replace(target)  # while no other process may claim it
    except (urllib.error.URLError, http.client.HTTPException, _CutOffError, TimeoutError) as error:
        raise _unavailable(spec.name, url, target, _reason(error)) from error
    except OSError as error:
        raise OutputError(
            f"cannot keep the weights: {error.strerror or error}",
            where=str(target),
            remedy="check free space and permissions, or set SEGTUNE_CACHE to another folder",
        ) from error
    return target


@contextmanager
def _claimed(part: Path, target: Path, reporter: Reporter) -> Iterator[BinaryIO | None]:
    """Yield the unfinished file for this process alone; None when another one finished it."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                reporter.say(f"waiting for another process that downloads {target.name}")
                fcntl.flock(stream, fcntl.LOCK_EX)
        if target.is_file():
            part.unlink(missing_ok=True)
            yield None
        else:
            yield stream


def _complete(stream: BinaryIO, url: str, reporter: Reporter) -> None:
    """Append what is missing from `stream`, reconnecting where the connection breaks.

    Raises:
        _CutOffError: The server never sent the rest.
        OSError: Network or disk.
    """
    for attempt in range(_ATTEMPTS):
        try:
            _append_rest(stream, url, reporter)
        except (_CutOffError, http.client.IncompleteRead, ConnectionError, TimeoutError) as error:
            stream.flush()
            if attempt + 1 == _ATTEMPTS:
                raise _CutOffError(f"the connection broke {_ATTEMPTS} times ({error})") from error
            reporter.say("the connection broke; continuing the download")
        else:
            stream.flush()
            os.fsync(stream.fileno())
            return


def _append_rest(stream: BinaryIO, url: str, reporter: Reporter) -> None:
    """Ask for the bytes after those in `stream` and append them."""
    have = stream.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"User-Agent": "segtune"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()  # it is an open response as well
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Nothing is left to send: either the file is whole, or it is not this file at all.
        if _total_bytes(error.headers, 0) != have:
            stream.truncate(0)
            raise _CutOffError("the unfinished file does not fit the one on the server") from error
        return
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            have = stream.truncate(0)  # the server does not continue, it begins anew
        total = _total_bytes(response.headers, have)
        if total is None:
            raise http.client.HTTPException("the server does not say how large the file is")
        _copy(response, stream, have, total, reporter)


def _copy(
    response: http.client.HTTPResponse, stream: BinaryIO, have: int, total: int, reporter: Reporter
) -> None:
    name = Path(urllib.parse.urlsplit(response.url).path).name
    with reporter.task(f"{name} (bytes)", total) as task:
        task.advance(have)
        while chunk := response.read(_CHUNK_BYTES):
            stream.write(chunk)
            have += len(chunk)
            task.advance(len(chunk))
    if have != total:
        raise _CutOffError(f"{have} of {total} bytes came")


def _total_bytes(headers: Message, have: int) -> int | None:
    """Return the size of the whole file as the server states it."""
    whole = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    if whole:
        return int(whole[1])
    length = headers.get("Content-Length")
    return None if length is None else have + int(length)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error)


def _unavailable(name: str, url: str, target: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"the published weights of {name} are not here and cannot be fetched: {reason}",
        where=str(target),
        remedy=f"try again with a network, put {url} there yourself, set `weights:` in the "
        "recipe to a local file, or train from random weights with --from-scratch",
    )
