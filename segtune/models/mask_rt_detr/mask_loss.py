"""The mask losses, where a mask is least certain, with their gradient worked out in one go.

Cross-entropy and dice are taken at points that follow https://arxiv.org/abs/1912.08193: most of
them where the logit is nearest to zero.

Shapes: R pairs of one image, r of them at a time, C channels, S points drawn on the image, P of
them chosen, n instances.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor
from paddle.autograd import PyLayer

from segtune.models.mask_rt_detr.points import PointSamples
from segtune.models.mask_rt_detr.row_sums import row_sums, summed_softplus
from segtune.models.mask_rt_detr.smallest import smallest_places

NUM_POINTS = 12544  # P, that a loss is taken at
NUM_CANDIDATES = 3 * NUM_POINTS  # of which the uncertain ones are chosen
NUM_UNCERTAIN = 3 * NUM_POINTS // 4
NUM_DRAWN = NUM_CANDIDATES + NUM_POINTS - NUM_UNCERTAIN  # S
MASK_WEIGHT, DICE_WEIGHT = 5.0, 5.0
_BLOCK = 32  # pairs at a time, so that what lies between is small


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
        of_pixels = paddle.zeros(pixels.shape[::-1])  # (C, S), the way that is added up fastest
        for start in range(0, filters.shape[0], _BLOCK):
            block = slice(start, start + _BLOCK)
            logits = paddle.matmul(filters[block], pixels, transpose_y=True)  # (r, S)
            places = _uncertain_places(logits)  # (r, P)
            entropy, dice, slope = _losses_and_slope(
                paddle.index_sample(logits, places),
                paddle.index_sample(paddle.gather(masks, instances[block]), places),
            )
            entropies.append(entropy)
            dices.append(dice)
            slope = paddle.put_along_axis(paddle.zeros_like(logits), places, slope, axis=1)
            # (C, S) times (S, r), in half of the time of its transpose
            of_filters.append(paddle.matmul(pixels, slope, transpose_x=True, transpose_y=True).t())
            of_pixels.addmm_(filters[block].t(), slope)
        ctx.save_for_backward(paddle.concat(of_filters), of_pixels)
        entropy, dice = paddle.concat(entropies), paddle.concat(dices)
        ctx.mark_non_differentiable(entropy, dice)
        return MASK_WEIGHT * entropy.sum() + DICE_WEIGHT * dice.sum(), entropy, dice

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_unused: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients that were kept."""
        of_filters, of_pixels = ctx.saved_tensor()
        return of_filters * slope, (of_pixels * slope).t(), None, None


def _uncertain_places(logits: Tensor) -> Tensor:
    """Return the places (r, P) of the most uncertain candidates, and of all points after them."""
    candidates = logits.abs()[:, :NUM_CANDIDATES]
    others = paddle.arange(NUM_CANDIDATES, NUM_DRAWN).expand([logits.shape[0], -1])
    return paddle.concat([smallest_places(candidates, NUM_UNCERTAIN), others], axis=1)


def _losses_and_slope(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return cross-entropy (r,), dice (r,), and the slope (r, P) of their weighted sum.

    Both are of logits (r, P) at the points that were chosen. Cross-entropy is softplus(z) - g * z
    for a logit z and a target g.
    """
    probabilities = F.sigmoid(logits)
    entropy = summed_softplus(logits, probabilities) - row_sums(logits * targets)
    above = 2 * row_sums(probabilities * targets) + 1
    below = row_sums(probabilities) + row_sums(targets) + 1
    share = above / below
    slope = (share - 2 * targets) * probabilities * (1 - probabilities) * (DICE_WEIGHT / below)
    slope += (probabilities - targets) * (MASK_WEIGHT / NUM_POINTS)
    return (entropy / NUM_POINTS).squeeze(1), 1 - share.squeeze(1), slope
