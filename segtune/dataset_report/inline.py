"""Pictures as text that an HTML page holds."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 78  # of WebP; lines of two pixels stay sharp


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return an RGB image (H, W, 3) as a WebP data URI."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return f"data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def shrink(image: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """Return an image whose longer side is at most `longest_px`."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: NDArray[np.uint8] = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return smaller
