from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.mask_rcnn.mask_head import MaskHead


@pytest.mark.parametrize("num_convs", [0, 4])
def test_a_mask_has_twice_as_many_cells_on_a_side(num_convs: int) -> None:
    head = MaskHead(6, num_convs, 3)

    logits = head(paddle.zeros([2, 6, 7, 7]), paddle.to_tensor([2, 0]))

    assert list(logits.shape) == [2, 14, 14]


def test_every_region_shows_the_channel_of_its_label() -> None:
    head = MaskHead(6, 0, 3)
    convolution = head.mask_fcn_logits
    convolution.weight.set_value(paddle.zeros(convolution.weight.shape))
    convolution.bias.set_value(paddle.to_tensor([10.0, 20, 30]))

    logits = head(paddle.ones([4, 6, 2, 2]), paddle.to_tensor([2, 0, 1, 2]))

    expected = np.array([30, 10, 20, 30]).reshape(4, 1, 1) * np.ones((1, 4, 4))
    np.testing.assert_array_equal(logits.numpy(), expected)


def test_a_label_changes_nothing_but_the_channel() -> None:
    paddle.seed(0)
    head = MaskHead(3, 1, 4)
    features = paddle.randn([5, 3, 3, 3])
    labels = paddle.to_tensor([3, 0, 2, 2, 1])

    logits = head(features, labels).numpy()

    every_channel = head.mask_fcn_logits(head.head(features)).numpy()
    assert every_channel.std(axis=1).min() > 0
    for row, label in enumerate(labels.tolist()):
        np.testing.assert_allclose(logits[row], every_channel[row, label], rtol=1e-5)


def test_only_channels_of_labels_learn() -> None:
    paddle.seed(0)
    head = MaskHead(3, 0, 4)

    head(paddle.randn([2, 3, 3, 3]), paddle.to_tensor([1, 3])).sum().backward()

    # Each of the two regions has 6 x 6 cells.
    assert head.mask_fcn_logits.bias.grad.tolist() == [0, 36, 0, 36]
