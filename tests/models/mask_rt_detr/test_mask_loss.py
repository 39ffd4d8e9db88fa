from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from numpy.typing import NDArray
from paddle import Tensor

from segtune.models.mask_rt_detr import mask_loss
from segtune.models.mask_rt_detr.mask_loss import point_mask_losses
from segtune.models.mask_rt_detr.points import PointSamples

POINTS = 64
CANDIDATES, UNCERTAIN = 3 * POINTS, 3 * POINTS // 4
DRAWN = CANDIDATES + POINTS - UNCERTAIN
CHANNELS, INSTANCES = 5, 3


@pytest.fixture
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_loss, "NUM_POINTS", POINTS)
    monkeypatch.setattr(mask_loss, "NUM_CANDIDATES", CANDIDATES)
    monkeypatch.setattr(mask_loss, "NUM_UNCERTAIN", UNCERTAIN)
    monkeypatch.setattr(mask_loss, "NUM_DRAWN", DRAWN)


def textbook(
    filters: Tensor, samples: PointSamples, instances: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy and dice of one pair after the other, at the points that a sort finds."""
    entropies, dices = [], []
    for own, instance in zip(filters, instances.tolist(), strict=True):
        logits, wanted = samples.pixels @ own, samples.masks[instance]
        order = np.argsort(np.abs(logits.numpy()[:CANDIDATES]), kind="stable")
        chosen = paddle.to_tensor(np.r_[order[:UNCERTAIN], CANDIDATES:DRAWN])
        logits, wanted = paddle.gather(logits, chosen), paddle.gather(wanted, chosen)
        # Paddle's own cross-entropy has the slope -wanted at logits of zero, not 0.5 - wanted.
        entropies.append((F.softplus(logits) - wanted * logits).mean())
        scores = F.sigmoid(logits)
        above = 2 * (scores * wanted).sum() + 1
        dices.append(1 - above / (scores.sum() + wanted.sum() + 1))
    entropy, dice = paddle.stack(entropies), paddle.stack(dices)
    return 5 * entropy.sum() + 5 * dice.sum(), entropy, dice


@pytest.mark.usefixtures("few_points")
@pytest.mark.parametrize(
    ("num_pairs", "scale"),
    [
        pytest.param(1, 1.0, id="one pair"),
        pytest.param(35, 1.0, id="more pairs than are worked on at a time"),
        pytest.param(3, 30.0, id="logits that are far from zero"),
    ],
)
def test_losses_and_gradients_equal_the_textbook(num_pairs: int, scale: float) -> None:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> NDArray[np.float32]:
        return random.standard_normal(shape).astype(np.float32)

    filters_of, pixels_of = scale * normal(num_pairs, CHANNELS), normal(DRAWN, CHANNELS)
    if num_pairs > 1:
        filters_of[1] = 0  # all candidates of this pair are equal: the first ones are chosen
    masks = paddle.to_tensor(random.uniform(0, 1, (INSTANCES, DRAWN)).round(1), "float32")
    instances = paddle.to_tensor(random.integers(0, INSTANCES, num_pairs))
    results = []
    for losses_of in (point_mask_losses, textbook):
        filters = paddle.to_tensor(filters_of, stop_gradient=False)
        pixels = paddle.to_tensor(pixels_of, stop_gradient=False)
        total, entropy, dice = losses_of(filters, PointSamples(pixels, masks), instances)
        (3 * total).backward()
        results.append([total, entropy, dice, filters.grad, pixels.grad])

    for own, expected in zip(*results, strict=True):
        assert own.shape == expected.shape
        np.testing.assert_allclose(own.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("few_points")
def test_a_perfect_mask_costs_nothing_and_its_opposite_a_lot() -> None:
    sides = paddle.to_tensor(np.where(np.arange(DRAWN) % 2, 100.0, -100.0), "float32")
    samples = PointSamples(sides.unsqueeze(1), (sides > 0).astype("float32").unsqueeze(0))

    _, entropy, dice = point_mask_losses(
        paddle.to_tensor([[1.0], [-1.0]]), samples, paddle.zeros([2], "int64")
    )

    np.testing.assert_allclose(entropy.numpy(), [0, 100], atol=1e-5)
    # Half of the points that are chosen have the mask, half the instance.
    np.testing.assert_allclose(dice.numpy(), [0, 1 - 1 / (POINTS + 1)], atol=1e-5)


def test_points_come_in_sixteens_as_the_sum_of_logarithms_wants_them() -> None:
    assert mask_loss.NUM_DRAWN == 37632 + 3136
    assert mask_loss.NUM_DRAWN % 16 == 0
