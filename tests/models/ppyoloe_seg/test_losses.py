from __future__ import annotations

from math import log

import numpy as np
import paddle
import pytest

from segtune.models.class_losses import varifocal_terms
from segtune.models.ppyoloe_seg.losses import distribution_focal_losses


@pytest.mark.parametrize(
    ("score", "quality", "is_label", "gradient"),
    [
        pytest.param(0.3, 0.0, 0.0, 0.25693, id="background"),
        pytest.param(0.6, 0.8, 1.0, -0.66667, id="a label that should score more"),
        pytest.param(0.2, 0.0, 0.0, 0.10444, id="quieter background"),
        pytest.param(0.6, 0.0, 1.0, 0.0, id="a label of no quality weighs nothing"),
    ],
)
def test_gradient_of_the_varifocal_loss_flows_through_its_weight(
    score: float, quality: float, is_label: float, gradient: float
) -> None:
    logits = paddle.to_tensor([log(score / (1 - score))], stop_gradient=False)

    varifocal_terms(
        logits, paddle.to_tensor([quality]), paddle.to_tensor([is_label])
    ).sum().backward()

    # The figures are gradients of the score; its own derivative leads on to the logit.
    expected = gradient * score * (1 - score)
    np.testing.assert_allclose(logits.grad.numpy(), [expected], atol=1e-5)


@pytest.mark.parametrize(
    ("distance", "loss"),
    [
        pytest.param(2.0, -log(0.5), id="on a bin"),
        pytest.param(2.25, -0.75 * log(0.5) - 0.25 * log(0.25), id="between two bins"),
        pytest.param(-1.0, -log(0.25), id="before the first bin"),
    ],
)
def test_distance_counts_for_the_bins_around_it(distance: float, loss: float) -> None:
    bins = np.log([0.25, 1e-9, 0.5, 0.25, 1e-9]).astype(np.float32)
    logits = paddle.to_tensor(np.tile(bins, (1, 4, 1)))

    losses = distribution_focal_losses(logits, paddle.full([1, 4], distance))

    np.testing.assert_allclose(losses.numpy(), [loss], rtol=1e-5)


def test_no_positives_have_no_distribution_losses() -> None:
    losses = distribution_focal_losses(paddle.zeros([0, 4, 17]), paddle.zeros([0, 4]))

    assert losses.shape == [0]
