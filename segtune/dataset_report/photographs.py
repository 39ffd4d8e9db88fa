"""The photographs of a dataset, a few of them kept decoded, since findings share them."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from segtune.dataset_report.loose import LooseImage
from segtune.errors import ImageError
from segtune.images import read_image

_KEPT = 4


class Photographs:
    """Reads images, and remembers the last few."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, NDArray[np.uint8] | str] = OrderedDict()

    def read(self, image: LooseImage) -> NDArray[np.uint8] | str:
        """Return RGB (H, W, 3), or in words why there is none."""
        if image.path is None:
            return image.fault
        key = str(image.path)
        if key not in self._kept:
            self._kept[key] = _read(image)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _read(image: LooseImage) -> NDArray[np.uint8] | str:
    assert image.path is not None, "an image without a path is not read"
    try:
        if not image.path.is_file():
            return "there is no such image file"
        return read_image(image.path)
    except ImageError as error:
        return error.problem
    except OSError as error:  # a name too long, a folder that may not be entered
        return error.strerror or str(error)
