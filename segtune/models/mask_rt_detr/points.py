"""Random points at which masks are compared, instead of at every pixel.

Shapes: N images, C channels, n instances of an image, S points, h x w input, p x q pixels map.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor

from segtune.models.mask_rt_detr.bilinear import sample_map
from segtune.models.mask_rt_detr.targets import UnitTargets


class PointSamples(NamedTuple):
    """What lies at the points of one image."""

    pixels: Tensor  # (S, C)
    masks: Tensor  # (n, S), 0..1


def sample_points(pixels: Tensor, targets: UnitTargets, num_points: int) -> list[PointSamples]:
    """Draw points on every image, uniformly, and return what lies there.

    All queries and instances of an image share its points. Mask logits are products of filters
    and pixels, and sampling is linear: pixels are sampled once, whatever the number of masks.

    Args:
        pixels: (N, C, p, q); the gradient of the samples flows into them.
        targets: The labelled instances.
        num_points: S.
    """
    size_hw = (pixels.shape[2], pixels.shape[3])
    input_hw = (targets.masks.shape[2], targets.masks.shape[3])
    samples = []
    for image, count in enumerate(targets.counts):
        points = paddle.rand([num_points, 2])
        at_points = sample_map(pixels[image].flatten(1).t(), size_hw, points)
        if count == 0:
            masks = paddle.zeros([0, num_points])
        else:
            masks = sample_map(targets.masks[image, :count].flatten(1).t(), input_hw, points).t()
        samples.append(PointSamples(at_points, masks))
    return samples
