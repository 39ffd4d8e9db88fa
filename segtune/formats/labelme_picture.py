"""Pictures and masks that LabelMe files hold as base64 text."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "WEBP": (".webp",)}
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture that has no file."""

    name: str
    """With the suffix of what it is, which may not be that of the file it once came from."""
    content: bytes
    size_hw: tuple[int, int]


def embedded_picture(data: str, name: str) -> EmbeddedPicture | None:
    """Return the picture in base64 text, or None where there is none."""
    content = _decode(data)
    if content is None:
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            kind = picture.format or ""
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except (*_DAMAGED, cv2.error):
        return None
    if decoded is None or kind not in _SUFFIXES:
        return None
    path = PurePosixPath(name)
    if path.suffix.lower() not in _SUFFIXES[kind]:
        path = path.with_suffix(_SUFFIXES[kind][0])
    return EmbeddedPicture(path.name, content, decoded.shape[:2])


def embedded_mask(data: object) -> NDArray[np.bool_] | None:
    """Return the bitmap (h, w) in the base64 text of a PNG, or None where there is none."""
    content = _decode(data) if isinstance(data, str) else None
    if content is None:
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            pixels = np.asarray(picture)
    except _DAMAGED:
        return None
    return pixels.astype(np.bool_) if pixels.ndim == 2 else None


def _decode(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
