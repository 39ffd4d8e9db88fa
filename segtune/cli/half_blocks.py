"""A picture as coloured text: a character shows one pixel above another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER_HALF = "\u2580"


def half_blocks(image: NDArray[np.uint8], most_hw: tuple[int, int]) -> Text:
    """Return an RGB image (H, W, 3) as lines of text.

    Args:
        image: Scaled down to fit, never up.
        most_hw: Rows of pixels, two a line, and columns, one a character.
    """
    scale = min(1.0, most_hw[0] / image.shape[0], most_hw[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height + height % 2), interpolation=cv2.INTER_AREA)
    text = Text(no_wrap=True, end="")
    for upper, lower in zip(small[0::2].tolist(), small[1::2].tolist(), strict=True):
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            text.append(_UPPER_HALF, style)
        text.append("\n")
    return text
