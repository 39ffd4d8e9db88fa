"""The boxes that the proposal network starts from, at every cell of a feature map.

They are centred on the cells' top left corners, i * stride, since published weights were trained
so. Shapes: A anchors of a cell, h x w feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

RATIOS = (0.5, 1.0, 2.0)  # height by width


def cell_anchors(sides: Sequence[int]) -> NDArray[np.float32]:
    """Return the anchors (A, 4) around the origin, xyxy: for each side, one of each ratio.

    An anchor has the area of a square with that side, in pixels of the network input.
    """
    anchors = []
    for side in sides:
        for ratio in RATIOS:
            width = np.sqrt(side * side / ratio)
            half = np.array([width, ratio * width]) / 2
            anchors.append(np.concatenate([-half, half]))
    return np.asarray(anchors, np.float32)


def grid_anchors(cells: NDArray[np.float32], stride: int, feature: Tensor) -> Tensor:
    """Return the anchors (h * w * A, 4) over a feature (N, C, h, w): row, column, then anchor."""
    size_hw = paddle.shape(feature)[2:]  # as a tensor: an exported graph does not know it
    y, x = (paddle.arange(size_hw[axis]).astype("float32") * stride for axis in (0, 1))
    y, x = paddle.meshgrid(y, x)
    corners = paddle.stack([x, y, x, y], axis=2).reshape([-1, 1, 4])  # (h * w, 1, 4)
    return (corners + paddle.to_tensor(cells)).reshape([-1, 4])
