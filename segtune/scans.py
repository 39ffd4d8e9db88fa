"""A picture read from top to bottom, a few rows at a time, so that it may be of any size.

Shapes: H x W picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.errors import DependencyError, ImageError
from segtune.images import IMAGE_SUFFIXES
from segtune.pictures import Picture

MAX_SHOWN_SIDE = 4096  # of the copy that an overlay is drawn on
LARGE_PIXELS = 64_000_000  # up to here a file is decoded whole by OpenCV, as without tiles
_SIDEWAYS_OR_UPSIDE_DOWN = range(2, 9)  # EXIF orientations other than "as it is"


class Scan(Protocol):
    """A picture whose rows are read once, downwards."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width."""

    def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """Return the rows from `top` to `bottom`, exclusive, RGB (rows, W, 3).

        Neither may be above that of the call before. Raises ImageError.
        """
        ...  # pragma: no cover

    def reduced(self, max_side: int) -> Picture:
        """Return a copy of the picture whose longer side is at most `max_side`."""
        ...  # pragma: no cover


class PictureScan:
    """A picture that is in memory already."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.size_hw = (picture.image.shape[0], picture.image.shape[1])

    def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """Return the rows from `top` to `bottom`, exclusive."""
        return self._picture.image[top:bottom]

    def reduced(self, max_side: int) -> Picture:
        """Return the picture itself, or a smaller copy."""
        longest = max(self.size_hw)
        if longest <= max_side:
            return self._picture
        height, width = (max(1, round(side * max_side / longest)) for side in self.size_hw)
        smaller = cv2.resize(self._picture.image, (width, height), interpolation=cv2.INTER_AREA)
        return replace(self._picture, image=np.asarray(smaller, np.uint8))


class FileScan:
    """A JPEG, PNG, TIFF or WebP file, decoded by libvips as far as it is read.

    Upright as its EXIF orientation says; to turn it, libvips keeps it decoded in a temporary
    file on disk. Alpha is dropped, and of sixteen bits the upper eight are kept, as in
    `read_image`.

    Raises:
        ImageError: libvips cannot read the file.
    """

    def __init__(self, path: Path, pyvips: Any) -> None:
        self._path = path
        self._pyvips = pyvips
        with _as_image_errors(path, pyvips):
            header = pyvips.Image.new_from_file(str(path))
            turned = _orientation(header) in _SIDEWAYS_OR_UPSIDE_DOWN
            access = "random" if turned else "sequential"
            image = pyvips.Image.new_from_file(str(path), access=access, fail_on="truncated")
            image = _rgb(image.autorot() if turned else image)
        # One region for the whole way down: a new evaluation would begin again at the top.
        self._region = pyvips.Region.new(image)
        self.size_hw = (image.height, image.width)
        self._first = 0  # row of the picture that the buffer begins with
        self._buffer = np.zeros((0, image.width, 3), np.uint8)

    def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """Return the rows from `top` to `bottom`, exclusive; neither may go upwards."""
        kept = self._buffer[top - self._first :]
        next_row = top + len(kept)
        if bottom > next_row:
            width = self.size_hw[1]
            with _as_image_errors(self._path, self._pyvips):
                content = self._region.fetch(0, next_row, width, bottom - next_row)
            fresh = np.frombuffer(content, np.uint8).reshape(bottom - next_row, width, 3)
            kept = np.concatenate([kept, fresh])
        self._first, self._buffer = top, kept
        return self._buffer[: bottom - top]

    def reduced(self, max_side: int) -> Picture:
        """Return a smaller copy, decoded anew at that size."""
        with _as_image_errors(self._path, self._pyvips):
            image = _rgb(
                self._pyvips.Image.thumbnail(
                    str(self._path), max_side, height=max_side, size="down"
                )
            )
            content = image.write_to_memory()
        return Picture(
            np.frombuffer(content, np.uint8).reshape(image.height, image.width, 3).copy()
        )


def open_large(path: Path) -> FileScan | None:
    """Return a scan of an image file too large to be decoded whole; None for any other file.

    Raises:
        DependencyError: It is large and pyvips is not installed.
        ImageError: libvips cannot read the file.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES or _num_pixels(path) <= LARGE_PIXELS:
        return None
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise DependencyError(
            f"{path.name} is too large to be decoded whole, and pyvips is not installed",
            where=str(path),
            remedy="pip install 'segtune[large]'",
        ) from error
    return FileScan(path, pyvips)


def _num_pixels(path: Path) -> int:
    """Return the pixels that the header of an image file tells; 0 if it cannot be read."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # only the header is read
    try:
        with Image.open(path) as picture:
            return picture.width * picture.height
    except (OSError, SyntaxError, ValueError):
        return 0
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Any) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def _rgb(image: Any) -> Any:
    """Return a libvips image as three bands of eight bits."""
    if image.format == "ushort":
        image = image.cast("uchar", shift=True)
    if image.interpretation != "srgb" or image.bands not in (3, 4):
        image = image.colourspace("srgb")
    if image.bands > 3:
        image = image.extract_band(0, n=3)
    return image.cast("uchar")


@contextmanager
def _as_image_errors(path: Path, pyvips: Any) -> Iterator[None]:
    try:
        yield
    except pyvips.Error as error:
        lines = [line for line in f"{error.message}\n{error.detail}".splitlines() if line.strip()]
        raise ImageError(
            f"{path.name} cannot be decoded: {lines[-1].strip() if lines else 'no reason given'}",
            where=str(path),
            remedy="copy or download it again, or convert it to JPEG, PNG or TIFF",
        ) from error
