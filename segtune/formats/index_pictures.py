"""Pictures whose pixels are numbers: classes, instances, masks.

Shapes: H x W image.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune.errors import DatasetError

Colour = tuple[int, int, int]  # RGB
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def read_index_picture(
    path: Path, index_of: Mapping[Colour, int] | None = None
) -> NDArray[np.int64]:
    """Return the numbers (H, W) that the pixels of a PNG stand for.

    Pictures with a palette and grey ones hold the numbers themselves. In a coloured one, a
    colour stands for its place among the colours of Pascal VOC, or for what `index_of` says.

    Raises:
        DatasetError: The file cannot be read, or has a colour that stands for nothing.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode in ("P", "L", "1", "I;16", "I"):
                return np.asarray(picture).astype(np.int64)
            coloured = np.asarray(picture.convert("RGB")).astype(np.int64)  # (H, W, 3)
    except _DAMAGED as error:
        raise _unreadable(path) from error
    codes = coloured @ (65536, 256, 1)  # (H, W)
    known = {_code(colour): index for colour, index in (index_of or voc_colours()).items()}
    found, inverse = np.unique(codes, return_inverse=True)
    for code in found.tolist():
        if code not in known:
            raise DatasetError(
                f"{path.name} has a colour that stands for no class",
                where=f"{path}, RGB {code >> 16} {code >> 8 & 255} {code & 255}",
                remedy="save the mask as PNG with palette, or list the colour in labelmap.txt",
            )
    indices = np.array([known[code] for code in found.tolist()], np.int64)
    return indices[inverse].reshape(codes.shape)


def read_grey(path: Path) -> NDArray[np.int64]:
    """Return the values (H, W) of a mask picture; of a coloured one the brightest channel.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode in ("P", "RGB", "RGBA", "LA"):
                values = np.asarray(picture.convert("RGB")).max(axis=2)
            else:
                values = np.asarray(picture)
    except _DAMAGED as error:
        raise _unreadable(path) from error
    return np.asarray(values, np.int64)


@lru_cache(maxsize=1)
def voc_colours() -> dict[Colour, int]:
    """Return the number from 0 to 255 of every colour of Pascal VOC's palette.

    The bits of a number, from the lowest, go to red, green and blue in turn, and become the
    highest bits of these.
    """
    colours = {}
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        colours[(channels[0], channels[1], channels[2])] = index
    return colours


def _code(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _unreadable(path: Path) -> DatasetError:
    return DatasetError(
        f"{path.name} cannot be read as a picture",
        where=str(path),
        remedy="export or copy the file again",
    )
