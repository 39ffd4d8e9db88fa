from __future__ import annotations

from math import exp, log

import numpy as np
import paddle
import pytest
from paddle import Tensor

from segtune.models.mask_rcnn.anchors import cell_anchors, grid_anchors
from segtune.models.mask_rcnn.matching import with_a_row
from segtune.models.mask_rcnn.proposals import LevelScores
from segtune.models.mask_rcnn.rpn import RpnHead
from segtune.models.segmenter import Targets
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import instances

OBJECT: Box = (1, 0, 11, 10)
# IoU with the object: 90 / 110, which is foreground, 50 / 150, which is neither, and 0.
ANCHORS: list[Box] = [(0, 0, 10, 10), (6, 0, 16, 10), (50, 50, 60, 60)]


def softplus(logit: float) -> float:
    return log(1 + exp(logit))


def losses_of(
    logits: list[list[float]], targets: Targets, *, samples_per_image: int = 4
) -> tuple[dict[str, float], Tensor, Tensor]:
    """Return losses, and gradients of logits and deltas, for anchors that have moved by 0.5."""
    head = RpnHead(1, [[8]], [8], samples_per_image=samples_per_image)
    scores = LevelScores(
        paddle.to_tensor(ANCHORS, "float32"),
        paddle.to_tensor(logits, "float32"),
        paddle.full([len(logits), len(ANCHORS), 4], 0.5),
    )
    for tensor in scores[1:]:
        tensor.stop_gradient = False
    losses = head.losses([scores], targets)
    sum(losses.values()).backward()
    values = {name: loss.item() for name, loss in losses.items()}
    return values, scores.logits.grad, scores.deltas.grad


def test_logits_and_deltas_are_in_the_order_of_the_anchors() -> None:
    head = RpnHead(1, [[8], [16]], [4, 8])
    identity = np.zeros((1, 1, 3, 3), np.float32)
    identity[0, 0, 1, 1] = 1
    head.rpn_feat.rpn_conv.weight.set_value(identity)
    head.rpn_rois_score.weight.set_value(paddle.to_tensor([1.0, 10, 100]).reshape([3, 1, 1, 1]))
    by_channel = paddle.arange(12, dtype="float32")
    head.rpn_rois_delta.weight.set_value(by_channel.reshape([12, 1, 1, 1]))
    levels = [
        paddle.to_tensor([[[[1.0, 2], [3, -4]]], [[[5.0, 6], [7, 8]]]]),
        paddle.ones([2, 1, 1, 1]),
    ]

    first, second = head(levels)

    cells = np.array([[1, 2, 3, 0], [5, 6, 7, 8]])  # what is negative does not pass
    logits = cells[:, :, None] * np.array([1, 10, 100])
    np.testing.assert_allclose(first.logits.numpy(), logits.reshape(2, 12), rtol=1e-5)
    deltas = cells[:, :, None, None] * np.arange(12).reshape(3, 4)
    np.testing.assert_allclose(first.deltas.numpy(), deltas.reshape(2, 12, 4), rtol=1e-5)
    for scores, side, stride, level in ((first, 8, 4, levels[0]), (second, 16, 8, levels[1])):
        expected = grid_anchors(cell_anchors([side]), stride, level)
        np.testing.assert_array_equal(scores.anchors.numpy(), expected.numpy())


def test_losses_are_sums_over_samples_divided_by_how_many_there_should_be() -> None:
    losses, of_logits, of_deltas = losses_of([[2, 7, -3]], instances([[OBJECT]]))

    # The object is a tenth of the anchor further right, and as large.
    assert losses["loss_rpn_reg"] == pytest.approx((0.4 + 0.5 + 0.5 + 0.5) / 4)
    assert losses["loss_rpn_cls"] == pytest.approx((softplus(-2) + softplus(-3)) / 4)
    np.testing.assert_allclose(of_deltas.numpy(), [[[0.25] * 4, [0] * 4, [0] * 4]])
    assert of_logits.numpy()[0, 0] < 0 < of_logits.numpy()[0, 2]
    assert of_logits.numpy()[0, 1] == 0


def test_images_share_the_divisor() -> None:
    losses, _, of_deltas = losses_of([[2, 7, -3], [4, 1, 5]], instances([[OBJECT], []]))

    # On the second image all three anchors are background.
    entropy = softplus(-2) + softplus(-3) + softplus(4) + softplus(1) + softplus(5)
    assert losses["loss_rpn_cls"] == pytest.approx(entropy / 8)
    assert losses["loss_rpn_reg"] == pytest.approx(1.9 / 8)
    assert not of_deltas.numpy()[1].any()


def test_only_half_of_the_samples_may_be_foreground() -> None:
    # The first and, as its best one, the third anchor are foreground, but one sample is for both.
    losses, of_logits, of_deltas = losses_of(
        [[0, 0, 0]], instances([[OBJECT, (50, 50, 60, 59)]]), samples_per_image=2
    )

    assert losses["loss_rpn_cls"] == pytest.approx(log(2) / 2)
    assert np.count_nonzero(of_logits.numpy()) == 1
    assert np.count_nonzero(of_deltas.numpy().any(axis=2)) == 1


def test_an_image_with_fewer_samples_than_another_learns_nothing_from_its_void_rows() -> None:
    # On the first image a sample is for one of the outer anchors, and there is no background; on
    # the second one there is.
    both = [OBJECT, (51.0, 50.0, 61.0, 60.0)]
    losses, of_logits, of_deltas = losses_of(
        [[0, 0, 0]] * 2, instances([both, [OBJECT]]), samples_per_image=2
    )

    assert losses["loss_rpn_cls"] == pytest.approx(3 * log(2) / 4)
    assert losses["loss_rpn_reg"] == pytest.approx(2 * 1.9 / 4)
    assert np.count_nonzero(of_logits.numpy(), axis=1).tolist() == [1, 2]
    assert np.count_nonzero(of_deltas.numpy().any(axis=2), axis=1).tolist() == [1, 1]


def test_the_anchor_that_overlaps_an_object_most_learns_it_however_little_that_is() -> None:
    logit = log(3)  # a probability of three quarters
    losses, of_logits, of_deltas = losses_of([[logit] * 3], instances([[(50, 50, 52, 60)]]))

    # Four fifths of half a width left, and a fifth as wide.
    distances = (0.5 + 0.4) + 0.5 + (0.5 + log(5)) + 0.5
    assert losses["loss_rpn_reg"] == pytest.approx(distances / 4, rel=1e-5)
    np.testing.assert_allclose(of_logits.numpy(), [[0.75 / 4, 0.75 / 4, -0.25 / 4]], rtol=1e-5)
    assert not of_deltas.numpy()[0, :2].any()


def test_without_objects_every_anchor_is_background_and_no_box_learns() -> None:
    losses, of_logits, of_deltas = losses_of([[log(3)] * 3], with_a_row(instances([[]])))

    assert losses["loss_rpn_cls"] == pytest.approx(3 * log(4) / 4)
    assert losses["loss_rpn_reg"] == 0
    np.testing.assert_allclose(of_logits.numpy(), [[0.75 / 4] * 3], rtol=1e-5)
    assert not of_deltas.numpy().any()
