"""Regions and labelled instances, written as lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import paddle
from paddle import Tensor, nn

from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.segmenter import Targets
from tests.models.labelled import Box, rectangles


def instances(
    boxes_of_images: Sequence[Sequence[Box]],
    labels_of_images: Sequence[Sequence[int]] | None = None,
    size_hw: tuple[int, int] = (100, 100),
) -> Targets:
    """Return targets of rectangles on images of one size; labels are 0 if None."""
    targets = rectangles(boxes_of_images, size_hw, stride=1)
    if labels_of_images is None:
        return targets
    most = targets.labels.shape[1]
    padded = [[*labels, *[0] * (most - len(labels))] for labels in labels_of_images]
    return replace(targets, labels=paddle.to_tensor(padded, "int64"))


def regions(boxes_of_images: Sequence[Sequence[Box]]) -> Proposals:
    """Return proposals with void rows where an image has fewer."""
    targets = rectangles(boxes_of_images, (1, 1), stride=1)
    return Proposals(targets.boxes, targets.valid)


class Echo(nn.Layer):
    """In place of a head: the vector of a region is its box, and the number of its image."""

    out_width = 5

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return vectors (R, 5)."""
        images = np.repeat(np.arange(len(counts)), counts.numpy())
        return paddle.concat([boxes, paddle.to_tensor(images[:, None], "float32")], axis=1)


def give_constants(layer: nn.Linear, values: Sequence[float]) -> None:
    """Let a layer return `values` for whatever vector."""
    layer.weight.set_value(paddle.zeros(layer.weight.shape))
    layer.bias.set_value(paddle.to_tensor(values, "float32"))
