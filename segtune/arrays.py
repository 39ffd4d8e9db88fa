"""A picture in memory (array or PIL image) as an RGB array, or an error.

Shapes: H x W image, N images.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune.errors import ImageError

Channels = Literal["bgr", "rgb"]
CHANNELS: tuple[Channels, ...] = ("bgr", "rgb")


def rgb_of_array(array: NDArray[Any], channels: Channels, where: str) -> NDArray[np.uint8]:
    """Return an array as RGB (H, W, 3).

    Args:
        array: Grey (H, W) or (H, W, 1), colour (H, W, 3), or colour with alpha (H, W, 4), which
            is dropped; uint8, or uint16, of which the upper eight bits are kept as in files.
        channels: The order of its colours.
        where: What errors call it.

    Raises:
        ImageError: It has another shape or type, or no pixels.
    """
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(
            f"an array of {array.dtype} is not a picture",
            where=where,
            remedy=_dtype_remedy(array),
        )
    if array.size == 0:
        raise ImageError(
            f"an array of shape {array.shape} has no pixels",
            where=where,
            remedy="leave it out; cv2.imread returns None, and slices may be empty, without error",
        )
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        channels_first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        hint = "; this one looks like (channels, height, width): transpose(1, 2, 0)"
        raise ImageError(
            f"an array of shape {array.shape} is not a picture",
            where=where,
            remedy="give (height, width, 3), with 1 or 4 channels, or without a channel axis"
            + (hint if channels_first else ""),
        )
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    colours = array[:, :, :3]
    return np.ascontiguousarray(colours[:, :, ::-1] if channels == "bgr" else colours)


def rgb_of_pil(picture: Image.Image, where: str) -> NDArray[np.uint8]:
    """Return a PIL image as RGB (H, W, 3), of the pixels as it has them.

    Alpha is dropped, and of 16 bits the upper eight are kept, as in files. Its EXIF orientation is
    not applied, so that boxes belong to the pixels that the caller sees.

    Raises:
        ImageError: Its mode does not say what colours its numbers are, or it cannot be loaded.
    """
    if picture.width == 0 or picture.height == 0:
        raise ImageError(
            f"a PIL image of {picture.width} x {picture.height} has no pixels",
            where=where,
            remedy="leave it out",
        )
    try:
        if picture.mode.startswith("I;16"):
            return rgb_of_array(np.asarray(picture).astype(np.uint16), "rgb", where)
        if picture.mode in ("I", "F"):
            raise ImageError(
                f"a PIL image of mode {picture.mode} may have any range of brightness",
                where=where,
                remedy="scale it to 0..255 and convert it to mode L",
            )
        return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"the PIL image cannot be loaded: {error}", where=where, remedy="open its file again"
        ) from error


def _dtype_remedy(array: NDArray[Any]) -> str:
    if np.issubdtype(array.dtype, np.floating):
        return (
            "give uint8: (255 * array).astype('uint8') if it runs from 0 to 1, "
            "array.astype('uint8') if it runs to 255"
        )
    return "give an array of uint8, 0 to 255"
