"""Pictures as a command line names them: files, folders, globs and URLs."""

from __future__ import annotations

import http.client
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from segtune.errors import ImageError
from segtune.images import list_images, read_image

URL_SCHEMES = ("http://", "https://")
MAX_DOWNLOAD_BYTES = 100 * 1024 * 1024
DOWNLOAD_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ImageInput:
    """One picture to read: where it is, and a name for its results that no other one has."""

    place: str  # a path or a URL
    result_name: str  # without folder and suffix

    @property
    def is_url(self) -> bool:
        """Whether the picture has to be downloaded."""
        return self.place.lower().startswith(URL_SCHEMES)

    def read(self) -> NDArray[np.uint8]:
        """Return the picture, RGB (H, W, 3). Raises ImageError."""
        return _download(self.place) if self.is_url else read_image(Path(self.place))


def find_inputs(names: Sequence[str]) -> list[ImageInput]:
    """Return every picture that `names` stand for, once each, in the order of `names`.

    Raises:
        ImageError: There is none at all, or a name stands for nothing.
    """
    places: dict[str, None] = {}
    for name in names:
        is_url = name.lower().startswith(URL_SCHEMES)
        found = [name] if is_url else [str(path) for path in list_images(name)]
        places.update(dict.fromkeys(found))
    if not places:
        raise ImageError("no picture is named", remedy="name files, folders, globs or URLs")
    inputs: list[ImageInput] = []
    taken: set[str] = set()
    for place in places:
        name = _free_name(_stem(place), taken)
        taken.add(name.lower())  # some file systems do not tell upper from lower case
        inputs.append(ImageInput(place, name))
    return inputs


def _free_name(stem: str, taken: set[str]) -> str:
    """Return `stem`, or `stem-2`, `stem-3`, ... where pictures of several folders share it."""
    name, number = stem, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _stem(place: str) -> str:
    if not place.lower().startswith(URL_SCHEMES):
        return Path(place).stem
    try:
        path = urllib.parse.unquote(urllib.parse.urlsplit(place).path)
    except ValueError as error:
        raise ImageError(
            f"this is no address of a picture: {error}", where=place, remedy="check its spelling"
        ) from error
    return PurePosixPath(path).stem.replace("\\", "_").replace("\0", "_") or "picture"


def _download(url: str) -> NDArray[np.uint8]:
    with tempfile.TemporaryDirectory(prefix="segtune-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(_fetch(url))
        try:
            return read_image(path)
        except ImageError as error:
            raise ImageError(
                "what was downloaded is not a picture",
                where=url,
                remedy="give the address of a picture, not of a page that shows it",
            ) from error


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as response:
            content: bytes = response.read(MAX_DOWNLOAD_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        cause = error.reason if type(error) is urllib.error.URLError else error
        raise ImageError(
            f"the download failed: {cause}",
            where=url,
            remedy="check the address and the network, or download the picture yourself",
        ) from error
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise ImageError(
            f"the download is larger than {MAX_DOWNLOAD_BYTES // 1024**2} MiB",
            where=url,
            remedy="download the picture yourself and make it smaller",
        )
    return content
