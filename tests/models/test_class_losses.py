from __future__ import annotations

from math import exp, log

import numpy as np
import paddle
import pytest

from segtune.models.class_losses import background_focal_terms, varifocal_terms

LN3 = log(3)  # the logit of a score of 0.75


@pytest.mark.parametrize(
    ("logit", "quality", "is_label", "loss"),
    [
        pytest.param(0, 0, 0, 0.75 * 0.25 * log(2), id="background, score 0.5"),
        pytest.param(LN3, 0, 0, 0.75 * 0.75**2 * log(4), id="background, score 0.75"),
        pytest.param(0, 0.6, 1, 0.6 * log(2), id="label, quality 0.6"),
        pytest.param(LN3, 1, 1, log(4 / 3), id="label, quality 1"),
        pytest.param(LN3, 0, 1, 0, id="label without overlap weighs nothing"),
        pytest.param(-100, 0, 0, 0, id="sure of background"),
        pytest.param(100, 0, 0, 75, id="sure and wrong"),
    ],
)
def test_varifocal_loss(logit: float, quality: float, is_label: float, loss: float) -> None:
    tensors = (paddle.to_tensor([float(v)]) for v in (logit, quality, is_label))

    np.testing.assert_allclose(varifocal_terms(*tensors).numpy(), [loss], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("quality", "is_label"),
    [pytest.param(0.0, 0.0, id="background"), pytest.param(0.6, 1.0, id="label")],
)
def test_gradient_is_the_slope_of_the_loss_with_its_weight(quality: float, is_label: float) -> None:
    logits = paddle.to_tensor([-1.5, 0.5, 2.0], stop_gradient=False)
    varifocal_terms(logits, paddle.full([3], quality), paddle.full([3], is_label)).sum().backward()

    def loss(logit: float) -> float:
        score = 1 / (1 + exp(-logit))
        weight = quality if is_label else 0.75 * score**2
        return -weight * (quality * log(score) + (1 - quality) * log(1 - score))

    step = 1e-4
    slopes = [(loss(x + step) - loss(x - step)) / (2 * step) for x in logits.tolist()]
    np.testing.assert_allclose(logits.grad.numpy(), slopes, rtol=1e-4)


def test_focal_loss_of_background() -> None:
    terms = background_focal_terms(paddle.to_tensor([[0, LN3], [-100, 100]]))

    expected = [[0.75 * 0.25 * log(2), 0.75 * 0.75**2 * log(4)], [0, 75]]
    np.testing.assert_allclose(terms.numpy(), expected, rtol=1e-5, atol=1e-6)
