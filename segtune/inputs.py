"""Whatever a user hands over for prediction, as one stream of things to read, in its order.

A thing that cannot be used takes its place in the stream too, so that the others are not lost.
"""

from __future__ import annotations

import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune.arrays import Channels, rgb_of_array, rgb_of_pil
from segtune.downloads import fetch, is_url
from segtune.errors import ImageError, SegtuneError
from segtune.images import decode_image, list_images
from segtune.pictures import (
    CAMERA,
    READABLE_SUFFIXES,
    Picture,
    camera_frames,
    is_video,
    pictures_in,
)
from segtune.scans import PictureScan, Scan, open_large

DICT_KEYS = ("img", "image", "input", "img_path", "input_path")
TAKEN = (
    "a path, an address, a folder, a glob, a camera number, an array, a PIL image, the bytes of a "
    "picture, a dict with one of these under img, or a list of these"
)


@dataclass(frozen=True)
class ImageInput:
    """One thing to read: an image, a document of pages, or a video.

    Attributes:
        place: A path, an address, `camera:0`, or what a picture in memory is called in messages.
        result_name: Name of its results, without folder and suffix, that no other one has.
        content: What is in memory: an RGB array to be, or the error that stands in its place.
        channels: Order of colours in an array.
    """

    place: str
    result_name: str
    content: Any = field(default=None, compare=False)
    channels: Channels = "bgr"

    @property
    def is_url(self) -> bool:
        """Whether it has to be downloaded."""
        return self.content is None and is_url(self.place)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine."""
        return self.content is None and not self.is_url and not self.place.startswith(CAMERA)

    @property
    def is_video(self) -> bool:
        """Whether it gives frames, of which nobody knows the number."""
        if self.content is not None:
            return False
        return is_video(urllib.parse.urlsplit(self.place).path if self.is_url else self.place)

    def pictures(self) -> Iterator[Picture]:
        """Yield its pictures, of which at most one is in memory.

        Raises:
            ImageError: It cannot be read, or not to its end.
            DependencyError: A package that reads it is not installed.
        """
        if self.content is not None:
            yield Picture(self._from_memory())
        elif self.is_url:
            yield from _downloaded(self.place)
        elif self.place.startswith(CAMERA):
            yield from camera_frames(int(self.place.removeprefix(CAMERA)))
        else:
            yield from pictures_in(Path(self.place))

    def scans(self) -> Iterator[Scan]:
        """Yield its pictures to be read row by row; a large image file is never read whole.

        Raises:
            ImageError: It cannot be read, or not to its end.
            DependencyError: A package that reads it is not installed.
        """
        large = open_large(Path(self.place)) if self.is_file else None
        if large is not None:
            yield large
        else:
            yield from map(PictureScan, self.pictures())

    def _from_memory(self) -> NDArray[np.uint8]:
        if isinstance(self.content, SegtuneError):
            raise self.content
        if isinstance(self.content, Image.Image):
            return rgb_of_pil(self.content, self.place)
        if isinstance(self.content, bytes):
            return decode_image(self.content, Path(self.place))
        return rgb_of_array(self.content, self.channels, self.place)


def find_inputs(names: Sequence[str]) -> list[ImageInput]:
    """Return everything that `names` stand for, once each, in the order of `names`.

    Names that stand for nothing are among it, and fail when they are read.

    Raises:
        ImageError: No name stands for anything.
    """
    found = list(expand(names, once=True))
    errors = [each.content for each in found if isinstance(each.content, ImageError)]
    if len(errors) == len(found):
        raise errors[0] if errors else _nothing("the list of inputs")
    return found


def expand(given: Any, *, channels: Channels = "bgr", once: bool = False) -> Iterator[ImageInput]:
    """Yield the things to read that `given` stands for, however nested, one after the other.

    Args:
        given: TAKEN; iterators are drawn from as their turn comes.
        channels: Order of colours in arrays.
        once: Whether a place that was named before is passed over.
    """
    taken: set[str] = set()
    places: set[str] = set()
    for place, stem, content in _expand(given, "input"):
        if once and content is None:
            if place in places:
                continue
            places.add(place)
        name = _free_name(stem, taken)
        taken.add(name.lower())  # some file systems do not tell upper from lower case
        yield ImageInput(place, name, content, channels)


_Found = tuple[str, str, Any]  # place, stem of its results, content


def _expand(given: Any, label: str) -> Iterator[_Found]:
    """Yield place, stem and content of all that `given` holds; errors are content as well."""
    try:
        if isinstance(given, str | PurePath):
            yield from _named(str(given))
        elif isinstance(given, int) and not isinstance(given, bool):
            yield from _named(f"{CAMERA}{given}")
        elif isinstance(given, Mapping):
            yield from _expand(_value_of(given, label), label)
        elif (stem := _stem_in_memory(given)) is not None:
            yield label, stem, given
        elif isinstance(given, Iterable):
            yield from _expand_all(given, label)
        else:
            raise ImageError(
                f"{_described(given)} is nothing that holds pictures",
                where=label,
                remedy=f"give {TAKEN}",
            )
    except ImageError as error:
        place = error.where or label
        yield place, _stem_or(place, "input"), error


def _stem_in_memory(given: object) -> str | None:
    """Return how the results of one picture in memory are called; None for anything else."""
    if isinstance(given, bytes):
        return "bytes"
    if isinstance(given, np.ndarray) and given.ndim != 4:  # four axes are a batch of pictures
        return "array"
    if isinstance(given, Image.Image):
        name = getattr(given, "filename", "")
        return (Path(name).stem if name else "") or "picture"
    return None


def _expand_all(given: Iterable[Any], label: str) -> Iterator[_Found]:
    empty = True
    for index, each in enumerate(given):
        empty = False
        yield from _expand(each, f"{label}[{index}]")
    if empty:
        raise _nothing(label)


def _value_of(given: Mapping[Any, Any], label: str) -> Any:
    keys = [key for key in given if key in DICT_KEYS]
    if len(keys) != 1 or len(given) != 1:
        raise ImageError(
            f"a dict with the keys {', '.join(map(repr, given)) or 'none'} is not understood",
            where=label,
            remedy=f"give one of {', '.join(DICT_KEYS)} and nothing else",
        )
    return given[keys[0]]


def _named(name: str) -> Iterator[_Found]:
    if is_url(name):
        yield name, _stem(name), None
    elif name.startswith(CAMERA):
        number = name.removeprefix(CAMERA)
        if not (number.isascii() and number.isdigit()):
            raise ImageError(
                f"{name} names no camera", where=name, remedy="write camera:0, camera:1, ..."
            )
        yield f"{CAMERA}{int(number)}", f"camera_{int(number)}", None
    elif "://" in name:
        raise ImageError(
            f"segtune opens http and https addresses only, not {name.partition(':')[0]}",
            where=name,
            remedy="give a path of this machine without a scheme, or an http(s) address",
        )
    elif not name:
        raise ImageError("an empty text names nothing", where="input", remedy=f"give {TAKEN}")
    else:
        for path in list_images(name, READABLE_SUFFIXES):
            yield str(path), _stem(str(path)), None


def _downloaded(url: str) -> Iterator[Picture]:
    with tempfile.TemporaryDirectory(prefix="segtune-") as folder:
        content = fetch(url)
        suffix = PurePosixPath(urllib.parse.urlsplit(url).path).suffix.lower()
        path = Path(folder) / f"download{suffix if suffix in READABLE_SUFFIXES else ''}"
        path.write_bytes(content)
        del content
        try:
            yield from pictures_in(path)
        except ImageError as error:
            raise ImageError(
                "what was downloaded is not a picture, or a damaged one",
                where=url,
                remedy="give the address of a picture, not of a page that shows it",
            ) from error


def _nothing(label: str) -> ImageError:
    return ImageError(
        f"{label} is empty: there is nothing to predict", where=label, remedy=f"give {TAKEN}"
    )


def _described(given: Any) -> str:
    return "None" if given is None else f"a value of type {type(given).__name__}"


def _free_name(stem: str, taken: set[str]) -> str:
    """Return `stem`, or `stem-2`, `stem-3`, ... where pictures of several folders share it."""
    name, number = stem, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _stem(place: str) -> str:
    if not is_url(place):
        return Path(place).stem
    try:
        path = urllib.parse.unquote(urllib.parse.urlsplit(place).path)
    except ValueError as error:
        raise ImageError(
            f"this is no address of a picture: {error}", where=place, remedy="check its spelling"
        ) from error
    return PurePosixPath(path).stem.replace("\\", "_").replace("\0", "_") or "picture"


def _stem_or(place: str, otherwise: str) -> str:
    try:
        return _stem(place) or otherwise
    except ImageError:
        return otherwise
