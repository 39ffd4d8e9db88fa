from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray

from segtune import masks
from segtune.models.mask_rcnn.labelled_rois import LabelledRois
from segtune.models.mask_rcnn.mask_head import MaskHead
from segtune.models.mask_rcnn.mask_loss import (
    ForegroundRois,
    cells_in_boxes,
    foreground_of,
    mask_loss,
)
from segtune.models.segmenter import Targets
from tests.models.mask_rcnn.regions import instances

K = 3
PLUS = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]], np.uint8)
TWO_IMAGES = instances([[(0, 0, 4, 4), (2, 2, 8, 8)], [(4, 0, 8, 8)]], [[2, 0], [1]], (8, 8))


def labelled(
    is_foreground: list[list[bool]], own: list[list[int]], targets: Targets
) -> LabelledRois:
    """Return regions of which each is the box of an instance; foreground knows its label."""
    rows = paddle.to_tensor(own)
    is_labelled = paddle.to_tensor(is_foreground)
    labels = paddle.take_along_axis(targets.labels, rows, axis=1)
    boxes = paddle.stack([targets.boxes[n].index_select(rows[n]) for n in range(len(own))])
    return LabelledRois(
        boxes=boxes,
        is_valid=paddle.ones_like(is_labelled),
        is_foreground=is_labelled,
        labels=paddle.where(is_labelled, labels, paddle.full_like(labels, K)),
        instances=rows,
    )


def cells(mask: NDArray[np.uint8], box: tuple[float, ...], size: int) -> list[list[int]]:
    found = cells_in_boxes(
        paddle.to_tensor(mask[None, None]),
        paddle.to_tensor([0]),
        paddle.to_tensor([box], "float32"),
        size,
    )
    return found[0].astype("int64").tolist()


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        pytest.param((0, 0, 4, 4), 4, PLUS.tolist(), id="a cell is a pixel"),
        pytest.param((0, 0, 2, 2), 2, [[0, 1], [1, 1]], id="a part"),
        pytest.param((0, 0, 4, 4), 2, [[1, 1], [1, 0]], id="centres of cells lie at 1 and 3"),
        pytest.param((0, 0, 1, 2), 2, [[0, 0], [1, 1]], id="two cells in a pixel"),
        pytest.param((0.6, 0, 1.6, 1), 2, [[0, 1]] * 2, id="centres at 0.85 and 1.35"),
        pytest.param((-4, 1, 8, 2), 3, [[1, 1, 1]] * 3, id="beyond the border its pixels go on"),
        pytest.param((-9, -9, -5, -5), 1, [[0]], id="outside"),
        pytest.param((1, 0, 1, 4), 2, [[1, 1]] * 2, id="without width"),
    ],
)
def test_cells_have_the_value_of_the_pixel_at_their_centre(
    box: tuple[float, ...], size: int, expected: list[list[int]]
) -> None:
    assert cells(PLUS, box, size) == expected


def test_cells_come_from_the_numbered_mask() -> None:
    bitmaps = np.zeros((2, 3, 4, 4), np.uint8)
    bitmaps[1, 0] = PLUS  # number 3
    bitmaps[1, 2] = 1

    found = cells_in_boxes(
        paddle.to_tensor(bitmaps),
        paddle.to_tensor([5, 3, 0]),
        paddle.to_tensor([[0.0, 0, 4, 4]] * 3),
        4,
    )

    np.testing.assert_array_equal(found.numpy(), [np.ones((4, 4)), PLUS, np.zeros((4, 4))])
    assert found.dtype == paddle.float32


@pytest.mark.parametrize("size", [14, 28])
def test_cells_are_nearly_those_of_a_polygon_drawn_at_their_resolution(size: int) -> None:
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    overlaps = []
    for _ in range(20):
        centre, radii = rng.uniform(40, 88, 2), rng.uniform(12, 36, 2)
        points = centre + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        bitmap = masks.rasterise([points.ravel().tolist()], (128, 128)).astype(np.uint8)
        jitter = rng.uniform(-4, 4, 4)
        x1, y1, x2, y2 = np.concatenate([centre - radii, centre + radii]) + jitter

        own = np.array(cells(bitmap, (x1, y1, x2, y2), size), bool)

        # As upstream: the polygon is moved into the box and stretched over the cells.
        inside = (points - [x1, y1]) * size / np.array([x2 - x1, y2 - y1])
        expected = masks.rasterise([inside.ravel().tolist()], (size, size))
        overlaps.append((own & expected).sum() / (own | expected).sum())
    assert min(overlaps) > 0.9
    assert np.mean(overlaps) > 0.95


def test_foreground_knows_its_box_its_label_and_the_number_of_its_mask() -> None:
    rois = labelled([[False, True, True], [True, False, False]], [[0, 1, 0], [0, 0, 0]], TWO_IMAGES)

    foreground = foreground_of(rois, TWO_IMAGES)

    assert foreground.boxes.tolist() == [[2, 2, 8, 8], [0, 0, 4, 4], [4, 0, 8, 8]]
    assert foreground.counts.tolist() == [2, 1]
    assert foreground.labels.tolist() == [0, 2, 1]
    assert foreground.masks.tolist() == [1, 0, 2]  # the second image's begin at 2
    assert foreground.weight == 1


def test_without_foreground_there_is_one_region_without_weight() -> None:
    rois = labelled([[False] * 2] * 2, [[0, 1], [0, 0]], TWO_IMAGES)

    foreground = foreground_of(rois, TWO_IMAGES)

    assert list(foreground.boxes.shape) == [1, 4]
    assert foreground.counts.tolist() == [1, 0]
    assert 0 <= foreground.labels.item() < K
    assert foreground.weight == 0


def loss_and_gradient(
    probabilities: NDArray[np.float64], foreground: ForegroundRois, targets: Targets
) -> tuple[float, NDArray[np.float32]]:
    logits = paddle.to_tensor(np.log(probabilities / (1 - probabilities)), "float32")
    logits.stop_gradient = False
    loss = mask_loss(logits, foreground, targets)
    loss.backward()
    assert loss.shape == []
    return loss.item(), logits.grad.numpy()


def test_loss_is_the_mean_over_cells_of_regions() -> None:
    # The left half of the first image's first box is its mask; the others are whole.
    bitmaps = TWO_IMAGES.masks.clone()
    bitmaps[0, 0, :, 2:] = 0
    targets = replace(TWO_IMAGES, masks=bitmaps)
    foreground = foreground_of(
        labelled([[True, False], [True, False]], [[0, 0]] * 2, targets), targets
    )
    probabilities = np.full((2, 2, 2), 0.8)
    probabilities[1] = 0.4

    loss, gradient = loss_and_gradient(probabilities, foreground, targets)

    # In cells: two are right by 0.8, two by 0.2; four by 0.4.
    assert loss == pytest.approx(-(2 * log(0.8) + 2 * log(0.2) + 4 * log(0.4)) / 8)
    np.testing.assert_allclose(
        gradient * 8, [[[-0.2, 0.8], [-0.2, 0.8]], [[-0.6] * 2] * 2], rtol=1e-5
    )


@pytest.mark.parametrize(
    "is_foreground",
    [pytest.param([True, False], id="last"), pytest.param([False, True], id="first")],
)
def test_an_image_without_foreground_counts_as_a_region(is_foreground: list[bool]) -> None:
    rois = labelled([[own, own] for own in is_foreground], [[0, 0]] * 2, TWO_IMAGES)

    loss, _ = loss_and_gradient(
        np.full((2, 4, 4), 0.8), foreground_of(rois, TWO_IMAGES), TWO_IMAGES
    )

    # Two regions that are right by 0.8, of three.
    assert loss == pytest.approx(-2 / 3 * log(0.8), rel=1e-5)


def test_without_foreground_the_mask_head_has_gradients_and_they_are_zero() -> None:
    paddle.seed(0)
    head = MaskHead(2, 1, K)
    rois = labelled([[False] * 2] * 2, [[0, 1], [0, 0]], TWO_IMAGES)
    foreground = foreground_of(rois, TWO_IMAGES)

    loss = mask_loss(head(paddle.randn([1, 2, 3, 3]), foreground.labels), foreground, TWO_IMAGES)
    loss.backward()

    assert loss.item() == 0
    gradients = [tensor.grad.numpy() for tensor in head.parameters()]
    assert len(gradients) == 6
    assert not any(gradient.any() for gradient in gradients)
