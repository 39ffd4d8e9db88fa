"""Losses of class scores, element by element, before any sum."""

from __future__ import annotations

import paddle.nn.functional as F
from paddle import Tensor


def varifocal_terms(logits: Tensor, quality: Tensor, is_label: Tensor) -> Tensor:
    """Return the varifocal losses of logits, in their shape.

    See https://arxiv.org/abs/2008.13367. The weight of background, 0.75 * score ** 2, takes part
    in the gradient, as it did when the published weights were trained.

    Args:
        logits: Before the sigmoid.
        quality: Score to learn, same shape, 0 where not `is_label`.
        is_label: 1 at the label of what learns an instance, else 0.
    """
    background = 0.75 * F.sigmoid(logits).square() * (1 - is_label)
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (background + quality) * entropy


def background_focal_terms(logits: Tensor) -> Tensor:
    """Return the focal losses of logits that are all to be background, in their shape.

    See https://arxiv.org/abs/1708.02002, with alpha 0.25 and gamma 2.
    """
    return 0.75 * F.sigmoid(logits).square() * F.softplus(logits)
