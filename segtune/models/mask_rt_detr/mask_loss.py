"""The mask losses, where a mask is least certain, with their gradient worked out in one go.

Cross-entropy and dice are taken at points that follow https://arxiv.org/abs/1912.08193: most of
them where the logit is nearest to zero.

Shapes: R pairs of one image, C channels, S points, n instances.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor
from paddle.autograd import PyLayer

from segtune.models.mask_rt_detr.points import PointSamples

NUM_POINTS = 12544  # that a loss is taken at
NUM_CANDIDATES = 3 * NUM_POINTS  # of which the uncertain ones are chosen
NUM_UNCERTAIN = 3 * NUM_POINTS // 4
NUM_DRAWN = NUM_CANDIDATES + NUM_POINTS - NUM_UNCERTAIN  # S
MASK_WEIGHT, DICE_WEIGHT = 5.0, 5.0
_BLOCK = 16  # pairs at a time, so that what lies between is small


def point_mask_losses(
    filters: Tensor, samples: PointSamples, instances: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weighted sum of all losses, and cross-entropy (R,) and dice (R,) of each pair.

    Only the sum has a gradient. It is computed together with the loss, block by block: of R x S
    logits nothing is kept but what the filters and the pixels have to learn.

    Args:
        filters: (R, C).
        samples: NUM_DRAWN points; the candidates come first.
        instances: (R,) int64, the instance that each pair has to show.
    """
    return PointMaskLosses.apply(filters, samples.pixels, samples.masks, instances)


class PointMaskLosses(PyLayer):
    """See `point_mask_losses`."""

    @staticmethod
    def forward(
        ctx: Any, filters: Tensor, pixels: Tensor, masks: Tensor, instances: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the losses, and keep their gradients."""
        entropies, dices, of_filters = [], [], []
        of_pixels = paddle.zeros_like(pixels)
        for start in range(0, filters.shape[0], _BLOCK):
            block = slice(start, start + _BLOCK)
            logits = paddle.matmul(filters[block], pixels, transpose_y=True)  # (r, S)
            targets = paddle.gather(masks, instances[block])
            entropy, dice, slope = _losses_and_slope(logits, targets)
            entropies.append(entropy)
            dices.append(dice)
            of_filters.append(paddle.matmul(slope, pixels))  # (r, C)
            of_pixels += paddle.matmul(slope, filters[block], transpose_x=True)
        ctx.save_for_backward(paddle.concat(of_filters), of_pixels)
        entropy, dice = paddle.concat(entropies), paddle.concat(dices)
        ctx.mark_non_differentiable(entropy, dice)
        return MASK_WEIGHT * entropy.sum() + DICE_WEIGHT * dice.sum(), entropy, dice

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_unused: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients that were kept."""
        of_filters, of_pixels = ctx.saved_tensor()
        return of_filters * slope, of_pixels * slope, None, None


def _losses_and_slope(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return cross-entropy (r,), dice (r,), and the slope (r, S) of their weighted sum."""
    chosen = _choose(logits)  # (r, S)
    number = _row_sums(chosen)  # (r, 1)
    probabilities = F.sigmoid(logits)
    absent = 1 - probabilities
    wanted = targets * chosen
    # softplus(z) - g * z, where softplus(z) = relu(z) - log(sigmoid(|z|)).
    entropy = _row_sums(F.relu(logits) * chosen - logits * wanted)
    entropy -= _summed_logarithms(paddle.maximum(probabilities, absent), chosen)
    there = probabilities * chosen
    above = 2 * _row_sums(there * wanted) + 1
    below = _row_sums(there + wanted) + 1
    share = above / below
    slope = (chosen * share - 2 * wanted) * probabilities * absent * (DICE_WEIGHT / below)
    slope += (there - wanted) * (MASK_WEIGHT / number)
    return (entropy / number).squeeze(1), 1 - share.squeeze(1), slope


def _row_sums(values: Tensor) -> Tensor:
    """Return the sums (r, 1) of rows (r, S), as a product, which is ten times as fast as `sum`."""
    return paddle.matmul(values, paddle.ones_like(values[:1]), transpose_y=True)


def _summed_logarithms(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the sums (r, 1) of the logarithms of chosen values (r, S), which are 0.5..1.

    Sixteen values are multiplied before a logarithm is taken, which leaves 2 ** -16 at least.
    """
    factors = values * chosen + (1 - chosen)
    for _ in range(4):
        half = factors.shape[1] // 2
        factors = factors[:, :half] * factors[:, half:]
    return _row_sums(paddle.log(factors))


def _choose(logits: Tensor) -> Tensor:
    """Return 1 at the most uncertain candidates and at all points after them, else 0.

    Equal logits at the limit are all chosen; the losses are means over what was.
    """
    size = logits[:, :NUM_CANDIDATES].abs()
    limit, _ = paddle.kthvalue(size, NUM_UNCERTAIN, axis=1, keepdim=True)
    uncertain = (size <= limit).astype(logits.dtype)
    return F.pad(uncertain, [0, 0, 0, NUM_DRAWN - NUM_CANDIDATES], value=1.0)
