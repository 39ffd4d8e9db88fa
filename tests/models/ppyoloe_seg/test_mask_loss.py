from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import Tensor

from segtune.models.ppyoloe_seg.mask_loss import cropped_mask_loss
from segtune.models.segmenter import Targets
from tests.models.labelled import rectangles

SIZE_HW = (64, 96)
BOXES = [
    [(8.0, 8.0, 40.0, 24.0), (21.3, 30.9, 70.2, 63.5)],
    [(-5.0, 3.0, 99.0, 61.0)],  # reaches over both sides
]


def naive(
    coefficients: Tensor, prototypes: Tensor, instance_rows: list[int], targets: Targets
) -> Tensor:
    """Cross-entropy on the whole map, cropped, averaged over the map, over the share of area."""
    per_image = targets.boxes.shape[1]
    height, width = prototypes.shape[2:]
    y, x = np.mgrid[0:height, 0:width]
    losses = []
    for row, instance in enumerate(instance_rows):
        image = instance // per_image
        x1, y1, x2, y2 = targets.boxes.numpy().reshape(-1, 4)[instance] / 4
        crop = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
        logits = (coefficients[row] @ prototypes[image].flatten(1)).reshape([height, width])
        bitmap = targets.masks[image, instance % per_image].astype("float32")
        entropy = F.binary_cross_entropy_with_logits(logits, bitmap, reduction="none")
        mean = (entropy * paddle.to_tensor(crop.astype(np.float32))).mean()
        share = (x2 - x1) * (y2 - y1) * 16 / (SIZE_HW[0] * SIZE_HW[1])
        losses.append(mean / float(share))
    return paddle.add_n(losses)


@pytest.mark.parametrize(
    "instance_rows",
    [
        pytest.param([0, 1, 1, 2], id="every instance"),
        pytest.param([2, 0, 2, 0], id="one instance left out, out of order"),
        pytest.param([1], id="one positive"),
    ],
)
def test_loss_and_gradients_equal_the_naive_formulation(instance_rows: list[int]) -> None:
    targets = rectangles(BOXES, SIZE_HW)
    noise = np.random.default_rng(0).integers(0, 2, targets.masks.shape, np.uint8)
    targets = replace(targets, masks=paddle.to_tensor(noise))
    paddle.seed(0)
    coefficients = paddle.randn([len(instance_rows), 5])
    prototypes = paddle.randn([2, 5, 16, 24])
    results = []
    for compute in (
        lambda c, p: cropped_mask_loss(c, p, paddle.to_tensor(instance_rows), targets, stride=4),
        lambda c, p: naive(c, p, instance_rows, targets),
    ):
        inputs = [coefficients.clone().detach(), prototypes.clone().detach()]
        for tensor in inputs:
            tensor.stop_gradient = False
        loss = compute(*inputs)
        loss.backward()
        results.append([loss.numpy(), *[tensor.grad.numpy() for tensor in inputs]])

    for own, expected in zip(*results, strict=True):
        np.testing.assert_allclose(own, expected, rtol=2e-5, atol=1e-6)


def test_box_between_two_cells_costs_nothing() -> None:
    targets = rectangles([[(8.0, 8.0, 40.0, 24.0), (5.0, 5.0, 7.0, 7.0)]], SIZE_HW)
    coefficients, prototypes = paddle.ones([2, 5]), paddle.ones([1, 5, 16, 24])

    both = cropped_mask_loss(coefficients, prototypes, paddle.to_tensor([0, 1]), targets, stride=4)
    first = cropped_mask_loss(
        coefficients[:1], prototypes, paddle.to_tensor([0]), targets, stride=4
    )

    assert both.item() == pytest.approx(first.item())
