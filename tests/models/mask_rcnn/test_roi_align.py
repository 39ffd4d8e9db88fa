from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray
from paddle import Tensor
from paddle.vision.ops import distribute_fpn_proposals, roi_align

from segtune.models.mask_rcnn.roi_align import RoiAlign, with_spare_box

STRIDES = (4, 8, 16, 32)
SIDE_PX = 512


def random_levels(num_images: int) -> list[Tensor]:
    paddle.seed(0)
    return [paddle.randn([num_images, 2, SIDE_PX // s, SIDE_PX // s]) for s in (*STRIDES, 64)]


def constant_levels(num_images: int) -> list[Tensor]:
    """Return levels whose cells say the level, 2 to 6, and ten times the image."""
    sides = [SIDE_PX // stride for stride in (*STRIDES, 64)]
    images = 10.0 * paddle.arange(num_images, dtype="float32").reshape([-1, 1, 1, 1])
    return [number + images.expand([-1, 1, side, side]) for number, side in enumerate(sides, 2)]


def random_boxes(sides: Sequence[float]) -> Tensor:
    """Return boxes with about these sides, most of them inside the input."""
    rng = np.random.default_rng(0)
    stretch = rng.uniform(0.8, 1.25, len(sides))
    sizes = np.stack([sides * stretch, sides / stretch], axis=1)
    corners = rng.uniform(-20, np.maximum(SIDE_PX + 20 - sizes, 1))
    return paddle.to_tensor(np.concatenate([corners, corners + sizes], axis=1), "float32")


def by_paddles_operators(
    levels: Sequence[Tensor], boxes: Tensor, counts: Tensor, *, size: int, aligned: bool
) -> NDArray[np.float32]:
    of_levels, restore, counts_of_levels = distribute_fpn_proposals(
        boxes, 2, 5, 4, 224, pixel_offset=False, rois_num=counts
    )
    pooled = [
        roi_align(level, own, own_counts, size, 1 / stride, sampling_ratio=0, aligned=aligned)
        for level, own, own_counts, stride in zip(
            levels, of_levels, counts_of_levels, STRIDES, strict=False
        )
        if len(own) > 0
    ]
    return paddle.concat(pooled).numpy()[restore.numpy().ravel()]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(
    ("sides", "counts"),
    [
        pytest.param([20, 300, 150, 500, 60, 130, 460], [5, 2], id="all levels"),
        pytest.param([20, 300, 500, 60, 30], [1, 4], id="a level without boxes"),
        pytest.param([30, 60, 90], [2, 1], id="one level for all"),
        pytest.param([300, 20], [0, 2], id="first image without boxes"),
        pytest.param([300, 150], [2, 0], id="last image without boxes"),
    ],
)
def test_features_are_those_of_paddles_operators(
    sides: list[float], counts: list[int], aligned: bool
) -> None:
    levels, boxes = random_levels(2), random_boxes(sides)
    counts_of_images = paddle.to_tensor(counts, "int32")

    own = RoiAlign(3, STRIDES, aligned=aligned)(levels, boxes, counts_of_images)

    expected = by_paddles_operators(levels, boxes, counts_of_images, size=3, aligned=aligned)
    assert list(own.shape) == [len(sides), 2, 3, 3]
    np.testing.assert_allclose(own.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "level"),
    [(0, 2), (1, 2), (111.9, 2), (112, 3), (223.9, 3), (224, 4), (447.9, 4), (448, 5), (512, 5)],
)
def test_a_box_is_served_by_the_level_that_fits_its_side(side: float, level: int) -> None:
    boxes = paddle.to_tensor([[0.0, 0, side, side]])

    features = RoiAlign(2, STRIDES)(constant_levels(1), boxes, paddle.to_tensor([1], "int32"))

    np.testing.assert_allclose(features.numpy().ravel(), [level] * 4)


def test_the_area_counts_and_not_the_longer_side() -> None:
    boxes = paddle.to_tensor([[0.0, 0, 500, 20]])  # as large as a square of side 100

    features = RoiAlign(1, STRIDES)(constant_levels(1), boxes, paddle.to_tensor([1], "int32"))

    assert features.item() == 2


def test_boxes_keep_their_order_and_see_the_image_that_they_are_on() -> None:
    sides = [500, 30, 300, 30, 150]
    boxes = paddle.to_tensor([[0.0, 0, side, side] for side in sides])

    features = RoiAlign(1, STRIDES)(constant_levels(3), boxes, paddle.to_tensor([2, 0, 3], "int32"))

    np.testing.assert_allclose(features.numpy().ravel(), [5, 2, 24, 22, 23])


def test_a_single_level_serves_boxes_of_any_size() -> None:
    boxes, counts = random_boxes([5, 500, 150]), paddle.to_tensor([1, 2], "int32")
    level = random_levels(2)[2]

    own = RoiAlign(4, [16])([level], boxes, counts)

    expected = roi_align(level, boxes, counts, 4, 1 / 16, sampling_ratio=0, aligned=True)
    np.testing.assert_array_equal(own.numpy(), expected.numpy())


def test_aligned_cells_are_half_a_cell_further_left_and_up() -> None:
    ramp = paddle.arange(16, dtype="float32").reshape([1, 1, 1, 16]).expand([1, 1, 16, 16])
    boxes, counts = paddle.to_tensor([[16.0, 16, 48, 48]]), paddle.to_tensor([1], "int32")

    means = [
        RoiAlign(1, [8], aligned=aligned)([ramp], boxes, counts).item() for aligned in (True, False)
    ]

    # Columns 2 to 6, whose middle is 4: the cell numbered 4 lies there, or has its centre at 4.5.
    np.testing.assert_allclose(means, [3.5, 4], rtol=1e-6)


@pytest.mark.parametrize(
    ("box", "column"),
    [
        pytest.param((0, 0, 0, 0), 0, id="at the origin"),
        pytest.param((38, 8, 38, 40), 9, id="without width"),
        pytest.param((38, 8, 62, 8), 12, id="without height"),
    ],
)
def test_a_box_without_area_has_the_features_of_where_it_is(
    box: tuple[int, ...], column: int
) -> None:
    ramp = paddle.arange(16, dtype="float32").reshape([1, 1, 1, 16]).expand([1, 1, 16, 16])
    ramp.stop_gradient = False
    levels = [ramp, *constant_levels(1)[1:]]
    boxes = paddle.to_tensor([box], "float32")

    features = RoiAlign(1, STRIDES)(levels, boxes, paddle.to_tensor([1], "int32"))
    features.sum().backward()

    assert features.item() == pytest.approx(column, abs=0.01)
    assert ramp.grad.sum().item() == pytest.approx(1, rel=1e-4)


def test_gradient_reaches_every_level_that_serves_a_box_on_every_image() -> None:
    levels = random_levels(2)
    for level in levels:
        level.stop_gradient = False
    boxes = random_boxes([30, 150, 460, 30, 150, 460])

    RoiAlign(2, STRIDES)(levels, boxes, paddle.to_tensor([3, 3], "int32")).sum().backward()

    magnitudes = [level.grad.abs().sum(axis=[1, 2, 3]).numpy() for level in levels[:4]]
    np.testing.assert_array_equal(
        np.array(magnitudes) > 0, [[True] * 2] * 2 + [[False] * 2, [True] * 2]
    )
    assert levels[4].grad is None


def test_the_last_image_gets_the_spare_box() -> None:
    assert with_spare_box(paddle.to_tensor([2, 0, 3], "int32")).tolist() == [2, 0, 4]
    assert with_spare_box(paddle.to_tensor([0], "int32")).tolist() == [1]
