"""A larger canvas for an image, so that objects appear smaller."""

from __future__ import annotations

import numpy as np

from segtune.data.window import Window

FILL = (124, 116, 104)  # ImageNet's mean colour (123.675, 116.28, 103.53), rounded


def draw_canvas(
    size_hw: tuple[int, int], largest_ratio: float, generator: np.random.Generator
) -> Window:
    """Return a canvas up to `largest_ratio` times as high and wide as the image, and around it.

    Both sides grow by the same ratio. A canvas that is larger in only one direction, because
    the ratio is close to 1, is not used: the image's own rectangle is returned.
    """
    ratio = generator.uniform(1, largest_ratio)
    height, width = (int(side * ratio) for side in size_hw)
    spare_height, spare_width = height - size_hw[0], width - size_hw[1]
    if spare_height == 0 or spare_width == 0:
        return Window.whole(size_hw)
    above = int(generator.integers(spare_height, endpoint=True))
    before = int(generator.integers(spare_width, endpoint=True))
    return Window(-above, -before, height, width)
