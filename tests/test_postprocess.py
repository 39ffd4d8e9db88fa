from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.preprocess import Geometry


def rows_of(boxes: object, logits: NDArray[np.float32], scores: object = None) -> Outputs:
    box_array = np.asarray(boxes, np.float32).reshape(-1, 4)
    n = len(box_array)
    score_array = np.linspace(0.9, 0.5, n) if scores is None else np.asarray(scores)
    return Outputs(
        box_array,
        score_array.astype(np.float32),
        np.arange(n),
        logits,
        np.asarray([n], np.int32),
    )


def square(size: int) -> Geometry:
    """An image that enters the network as it is."""
    return Geometry((size, size), (size, size), (size, size))


def resize_dense(maps: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Bilinear resize of whole maps (n, h, w) with half-pixel centres, the slow plain way."""
    for axis, size in ((1, size_hw[0]), (2, size_hw[1])):
        length = maps.shape[axis]
        source = ((np.arange(size) + 0.5) * (length / size) - 0.5).clip(0, length - 1)
        low = np.floor(source).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (source - low).reshape((-1, 1) if axis == 1 else (-1,))
        maps = maps.take(low, axis) * (1 - share) + maps.take(high, axis) * share
    return maps


def dense_probabilities(rows: Outputs, geometry: Geometry) -> NDArray[np.float64]:
    """Probabilities (n, H, W) by the reference's own steps on whole maps."""
    height, width = geometry.input_hw
    maps = 1 / (1 + np.exp(-rows.mask_logits.astype(np.float64)))
    maps = resize_dense(maps, geometry.input_hw)
    x1, y1, x2, y2 = rows.boxes.T[:, :, None]
    in_columns = (np.arange(width) >= x1) & (np.arange(width) < x2)
    in_rows = (np.arange(height) >= y1) & (np.arange(height) < y2)
    maps = maps * in_rows[:, :, None] * in_columns[:, None, :]
    return resize_dense(maps, geometry.original_hw)


@pytest.mark.parametrize(
    "original_hw",
    [(96, 128), (64, 64), (37, 201), (300, 211), (1, 1), (1, 500)],
    ids=lambda hw: f"{hw[0]}x{hw[1]}",
)
def test_masks_equal_the_reference_worked_on_whole_maps(original_hw: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(original_hw))
    geometry = Geometry(original_hw, (128, 128), (128, 128))
    centres, halves = random.uniform(0, 128, (40, 2)), random.uniform(0.3, 60, (40, 2))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    boxes[:3] = [[0, 0, 128, 128], [-50, -9, 300, 400], [10, 20, 30, 40]]
    logits = 4 * random.standard_normal((40, 32, 32)).astype(np.float32)
    rows = rows_of(boxes, logits)

    instances = instances_of(rows, geometry, mask_frame=MaskFrame.INPUT)

    expected = dense_probabilities(rows, geometry)[instances.labels]
    masks = instances.masks
    clear = np.abs(expected - 0.5) > 1e-4
    np.testing.assert_array_equal(masks[clear], (expected > 0.5)[clear])
    assert clear.mean() > 0.99


def blobs(random: np.random.Generator, map_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Logits of masks in the middle, at every border, on one cell, everywhere and nowhere."""
    height, width = map_hw
    rows, columns = np.arange(height)[:, None], np.arange(width)
    logits = [
        1.1 - np.hypot((rows - y * height) / (0.3 * height), (columns - x * width) / (0.3 * width))
        for y, x in [(0.5, 0.5), (0, 0.4), (1, 0.6), (0.5, 0), (0.6, 1), (1, 1)]
    ]
    dots = -np.ones((3, height, width))
    for dot, (row, column) in zip(dots, [(0, 0), (-1, -1), (height // 2, width // 3)], strict=True):
        dot[row, column] = 2
    noise = random.standard_normal((2, height, width))
    return np.concatenate([logits, dots, noise, np.ones((1, *map_hw)), -np.ones((1, *map_hw))], 0)


@pytest.mark.parametrize("mask_threshold", [0.5, 0.3])
@pytest.mark.parametrize(
    ("map_hw", "original_hw"),
    [
        pytest.param((30, 40), (400, 300), id="upscaled"),
        pytest.param((40, 40), (40, 40), id="as it is"),
        pytest.param((24, 40), (11, 17), id="downscaled"),
        pytest.param((40, 24), (7, 333), id="down and up"),
        pytest.param((8, 8), (1, 1), id="one pixel"),
        pytest.param((4, 6), (300, 500), id="more than a block of pixels a cell"),
    ],
)
def test_uncut_masks_equal_whole_maps_of_enlarged_logits(
    map_hw: tuple[int, int], original_hw: tuple[int, int], mask_threshold: float
) -> None:
    logits = blobs(np.random.default_rng(0), map_hw).astype(np.float32)
    rows = rows_of([[5, 5, 6, 6]] * len(logits), logits)  # what lies outside the boxes stays
    geometry = Geometry(original_hw, (160, 160), (160, 160))

    instances = instances_of(
        rows, geometry, mask_frame=MaskFrame.INPUT_UNCUT, mask_threshold=mask_threshold
    )

    enlarged = resize_dense(logits.astype(np.float64), original_hw)
    limit = np.log(mask_threshold / (1 - mask_threshold))
    clear = np.abs(enlarged - limit) > 1e-5
    np.testing.assert_array_equal(instances.masks[clear], (enlarged > limit)[clear])
    assert clear.mean() > 0.99
    assert instances.masks[-2].all()
    assert not instances.masks[-1].any()


def test_an_uncut_mask_goes_on_outside_its_box() -> None:
    logits = np.asarray([[[1, 1, -1, -1]] * 4], np.float32)
    rows = rows_of([1, 1, 2, 2], logits)

    instances = instances_of(rows, square(4), mask_frame=MaskFrame.INPUT_UNCUT)

    expected = np.zeros((1, 4, 4), bool)
    expected[:, :, :2] = True
    np.testing.assert_array_equal(instances.masks, expected)


def test_a_mask_that_fills_the_image_is_one_run() -> None:
    rows = rows_of([0, 0, 8, 8], np.full((1, 2, 2), 9, np.float32))

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT)

    assert instances.masks.all()
    full = coco_mask.encode(np.ones((8, 8), np.uint8, order="F"))
    assert instances.rles[0] == {"size": [8, 8], "counts": full["counts"].decode()}


def test_a_mask_is_cut_at_the_box() -> None:
    rows = rows_of([2, 3, 5, 7], np.full((1, 2, 2), 9, np.float32))

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT)

    expected = np.zeros((1, 8, 8), bool)
    expected[0, 3:7, 2:5] = True
    np.testing.assert_array_equal(instances.masks, expected)


def test_a_mask_below_one_half_everywhere_is_empty() -> None:
    rows = rows_of([0, 0, 8, 8], np.full((1, 2, 2), -200, np.float32))

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT)

    assert not instances.masks.any()


def pasted(
    probabilities: NDArray[np.float32], box: NDArray[np.float32], size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Values (H, W) of a map (m, m) laid into a box, sampled at every pixel of the image."""
    num_cells = len(probabilities)
    x1, y1, x2, y2 = box

    def places(low: np.float32, high: np.float32, num_pixels: int) -> NDArray[np.float32]:
        centres = np.arange(num_pixels, dtype=np.float32) + np.float32(0.5)
        grid = ((centres - low) / (high - low)) * 2 - 1
        return np.asarray(((grid + 1) * num_cells - 1) / 2, np.float32)

    column, row = np.meshgrid(places(x1, x2, size_hw[1]), places(y1, y2, size_hw[0]))
    values = np.zeros(size_hw, np.float32)
    for y in (np.floor(row), np.floor(row) + 1):
        for x in (np.floor(column), np.floor(column) + 1):
            is_cell = (x >= 0) & (x < num_cells) & (y >= 0) & (y < num_cells)
            cell = np.where(is_cell, y * num_cells + x, 0).astype(int)
            share = (1 - np.abs(column - x)) * (1 - np.abs(row - y))
            values += np.where(is_cell, probabilities.take(cell) * share, np.float32(0))
    return values


def boxes_everywhere(random: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes (30, 4): over all of the image, below a pixel, on whole pixels, over borders."""
    size_xy = np.asarray(size_hw[::-1])
    centres = random.uniform(0, 1, (30, 2)) * size_xy
    halves = random.uniform(0, 0.5, (30, 2)) * size_xy
    halves[2:8] = random.uniform(0.001, 0.6, (6, 2))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    boxes[8:14] = boxes[8:14].round()
    boxes[:2] = [0, 0, *size_xy], [-0.3, -9, *(size_xy + 0.7)]
    return boxes.astype(np.float32)


@pytest.mark.parametrize(
    ("size_hw", "num_cells", "count"),
    [
        pytest.param((240, 320), 28, 30, id="photograph"),
        pytest.param((101, 77), 14, 30, id="smaller map"),
        pytest.param((9, 13), 28, 30, id="more cells than pixels"),
        pytest.param((1, 500), 14, 30, id="one row"),
        pytest.param((4000, 3000), 28, 2, id="large"),
    ],
)
@pytest.mark.parametrize("mask_threshold", [0.5, 0.3])
def test_boxed_masks_equal_maps_sampled_at_every_pixel_of_the_image(
    size_hw: tuple[int, int], num_cells: int, count: int, mask_threshold: float
) -> None:
    random = np.random.default_rng(sum(size_hw))
    logits = 3 * random.standard_normal((count, num_cells, num_cells)).astype(np.float32)
    logits[-1] = 40  # a probability of 1 everywhere, which reaches furthest
    rows = rows_of(boxes_everywhere(random, size_hw)[:count], logits)
    geometry = Geometry(size_hw, size_hw, size_hw)

    instances = instances_of(
        rows, geometry, mask_frame=MaskFrame.BOX, mask_threshold=mask_threshold
    )

    probabilities = 0.5 + 0.5 * np.tanh(0.5 * logits)
    assert len(instances) > 0.7 * count
    for label, box, mask in zip(instances.labels, instances.boxes, instances.masks, strict=True):
        expected = pasted(probabilities[label], box, size_hw) >= np.float32(mask_threshold)
        np.testing.assert_array_equal(mask, expected)


def test_a_boxed_mask_lies_in_its_box_in_pixels_of_the_image() -> None:
    geometry = Geometry((8, 4), (16, 8), (16, 32))  # what lies right of column 8 is padding
    rows = rows_of([2, 4, 8, 12], np.full((1, 2, 2), 9, np.float32))

    instances = instances_of(rows, geometry, mask_frame=MaskFrame.BOX)

    expected = np.zeros((1, 8, 4), bool)
    expected[:, 2:6, 1:4] = True
    np.testing.assert_array_equal(instances.masks, expected)


def test_a_boxed_mask_is_fitted_into_what_of_its_box_is_in_the_image() -> None:
    left_half = np.asarray([[[9, 9, -9, -9]] * 4], np.float32)
    rows = rows_of([-4, 0, 4, 8], left_half)

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.BOX)

    assert instances.boxes.tolist() == [[0, 0, 4, 8]]
    expected = np.zeros((1, 8, 8), bool)
    expected[:, :, :2] = True
    np.testing.assert_array_equal(instances.masks, expected)


@pytest.mark.parametrize(
    ("mask_threshold", "expected"),
    [
        pytest.param(0.5, [[True, False], [False, True]], id="equal to it"),
        pytest.param(0.5001, [[False, False], [False, True]], id="above"),
        pytest.param(0.0001, [[True, True], [False, True]], id="below"),
    ],
)
def test_probabilities_equal_to_the_threshold_belong_to_a_boxed_mask(
    mask_threshold: float, expected: list[list[bool]]
) -> None:
    rows = rows_of([0, 0, 2, 2], np.asarray([[[0, -9], [-10, 9]]], np.float32))

    instances = instances_of(
        rows, square(2), mask_frame=MaskFrame.BOX, mask_threshold=mask_threshold
    )

    assert instances.masks[0].tolist() == expected


def test_a_boxed_mask_between_the_centres_of_pixels_is_empty() -> None:
    rows = rows_of([2.6, 1, 3.4, 4], np.full((1, 2, 2), 9, np.float32))

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.BOX)

    assert len(instances) == 1
    assert not instances.masks.any()


def test_boxes_are_scaled_and_clipped_to_the_image() -> None:
    geometry = Geometry((50, 200), (100, 100), (100, 100))
    rows = rows_of([[10, 20, 30, 40], [-5, -5, 120, 130]], np.zeros((2, 25, 25), np.float32))

    instances = instances_of(rows, geometry, mask_frame=MaskFrame.INPUT)

    np.testing.assert_allclose(instances.boxes, [[20, 10, 60, 20], [0, 0, 200, 50]])


def test_rows_outside_the_image_take_their_masks_with_them() -> None:
    logits = np.stack([np.full((2, 2), value, np.float32) for value in (9, 9, -9)])
    rows = rows_of([[-9, 0, -1, 8], [0, 0, 8, 8], [0, 8, 8, 9]], logits)

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT)

    assert instances.labels.tolist() == [1]
    assert instances.masks.all()


def test_scores_equal_to_the_threshold_are_left_out() -> None:
    rows = rows_of([[0, 0, 8, 8]] * 3, np.zeros((3, 2, 2), np.float32), [0.25, 0.5, 0.75])

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT, threshold=0.5)

    assert instances.scores.tolist() == [0.75]


def test_the_best_instances_come_first_and_ties_keep_their_order() -> None:
    rows = rows_of([[0, 0, 8, 8]] * 4, np.zeros((4, 2, 2), np.float32), [0.5, 0.75, 0.25, 0.5])

    instances = instances_of(rows, square(8), mask_frame=MaskFrame.INPUT, max_instances=3)

    assert instances.labels.tolist() == [1, 0, 3]


@pytest.mark.parametrize("mask_frame", MaskFrame)
def test_no_rows_give_no_instances(mask_frame: MaskFrame) -> None:
    rows = rows_of([], np.zeros((0, 2, 2), np.float32))

    instances = instances_of(rows, square(8), mask_frame=mask_frame)

    assert len(instances) == 0
    assert instances.boxes.shape == (0, 4)
    assert instances.size_hw == (8, 8)


def test_rows_are_split_by_image_also_when_one_has_none() -> None:
    rows = rows_of(np.arange(12).reshape(3, 4), np.zeros((3, 2, 2), np.float32))

    parts = split_rows(rows._replace(counts=np.asarray([2, 0, 1], np.int32)))

    assert [part.labels.tolist() for part in parts] == [[0, 1], [], [2]]
    assert parts[1].mask_logits.shape == (0, 2, 2)
    assert [part.counts.tolist() for part in parts] == [[2], [0], [1]]
