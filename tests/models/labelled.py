"""Labelled rectangles for networks to learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle

from segtune.models.segmenter import Targets

Box = tuple[float, float, float, float]


def rectangles(
    boxes_of_images: Sequence[Sequence[Box]], size_hw: tuple[int, int], *, stride: int = 4
) -> Targets:
    """Return targets whose masks fill their boxes and whose labels are all 0."""
    most = max(len(boxes) for boxes in boxes_of_images)
    shape = len(boxes_of_images), most
    boxes = np.zeros((*shape, 4), np.float32)
    valid = np.zeros(shape, bool)
    masks = np.zeros((*shape, size_hw[0] // stride, size_hw[1] // stride), np.uint8)
    for image, rows in enumerate(boxes_of_images):
        for row, (x1, y1, x2, y2) in enumerate(rows):
            boxes[image, row] = x1, y1, x2, y2
            valid[image, row] = True
            y, x = (np.arange(side) * stride for side in masks.shape[2:])
            masks[image, row] = ((y >= y1) & (y < y2))[:, None] & ((x >= x1) & (x < x2))
    return Targets(
        paddle.to_tensor(boxes),
        paddle.zeros(shape, "int64"),
        paddle.to_tensor(masks),
        paddle.to_tensor(valid),
        paddle.to_tensor([[float(side) for side in size_hw]] * len(boxes_of_images)),
    )


def randomise(network: paddle.nn.Layer, seed: int) -> None:
    """Give every parameter and norm statistic a value that is neither 0 nor 1."""
    rng = np.random.default_rng(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("proj_conv.weight"):
            continue
        noise = rng.standard_normal(tensor.shape)
        if name.endswith(("_variance", "bn.weight")):
            value = 1 + 0.2 * np.tanh(noise)
        elif len(tensor.shape) == 4:
            value = noise * np.sqrt(2 / np.prod(tensor.shape[1:]))
        else:
            value = 0.1 * noise
        tensor.set_value(value.astype(np.float32))
