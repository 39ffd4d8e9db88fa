from __future__ import annotations

import numpy as np
import paddle
import pytest

from segtune.models.mask_rt_detr.query_selection import (
    anchor_logits,
    boxes_of_masks,
    valid_cells,
)


def test_anchors_stand_at_cell_centres_and_their_sides_double_by_level() -> None:
    sizes_hw = [(2, 4), (1, 2)]
    logits, valid = anchor_logits(sizes_hw), valid_cells(sizes_hw).astype("bool")

    anchors = 1 / (1 + np.exp(-logits.numpy()))
    expected = [[x, y, 0.05, 0.05] for y in (0.25, 0.75) for x in (0.125, 0.375, 0.625, 0.875)]
    expected += [[0.25, 0.5, 0.1, 0.1], [0.75, 0.5, 0.1, 0.1]]
    np.testing.assert_allclose(anchors, expected, rtol=1e-5)
    assert valid.numpy().all()


def test_anchors_at_the_border_are_not_valid_and_infinite() -> None:
    sizes_hw = [(80, 80), (40, 40), (20, 20)]
    logits, valid = anchor_logits(sizes_hw), valid_cells(sizes_hw).astype("bool")

    # One cell all around is left out on the finest level only: 78 * 78 + 40 * 40 + 20 * 20.
    assert int(valid.numpy().sum()) == 8084
    assert np.isposinf(logits.numpy()).all(axis=1).tolist() == (~valid.numpy()[:, 0]).tolist()
    assert np.isfinite(logits.numpy()).all(axis=1).sum() == 8084
    assert valid.numpy()[[0, 79, 80, 6399], 0].tolist() == [False] * 4
    assert valid.numpy()[[81, 6400, 8399], 0].tolist() == [True] * 3


@pytest.mark.parametrize(
    ("rows", "columns", "xyxy"),
    [
        pytest.param([1, 2], [3, 4], [3, 1, 5, 3], id="rectangle"),
        pytest.param([0, 3], [0, 7], [0, 0, 8, 4], id="two corners of the map"),
        pytest.param([3], [7], [7, 3, 8, 4], id="one cell is one wide"),
        pytest.param([0], [0], [0, 0, 1, 1], id="first cell"),
        pytest.param([], [], [0, 0, 0, 0], id="empty mask"),
    ],
)
def test_box_encloses_the_outermost_cells(
    rows: list[int], columns: list[int], xyxy: list[float]
) -> None:
    height, width = 4, 8
    logits = np.full((height, width), -1, np.float32)
    logits[0, 1] = 0  # not above zero
    logits[rows, columns] = 0.5
    pixels = np.stack([logits, np.zeros_like(logits)])

    # The second query turns the mask off, the second image has the mask in another channel.
    boxes = boxes_of_masks(
        paddle.to_tensor(np.asarray([[[1, 5], [0, 5]], [[5, 1], [5, 0]]], np.float32)),
        paddle.to_tensor(np.stack([pixels, pixels[::-1]])),
    ).numpy()

    x1, y1, x2, y2 = np.asarray(xyxy) / [width, height, width, height]
    expected = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    nothing = [0, 0, 0, 0]
    np.testing.assert_allclose(boxes, [[expected, nothing], [expected, nothing]], atol=1e-6)
