from __future__ import annotations

import numpy as np
import paddle

from segtune.models.mask_rt_detr.targets import to_centre_size, to_corners, to_unit
from segtune.models.segmenter import Targets
from tests.models.labelled import rectangles


def test_boxes_become_parts_of_the_image() -> None:
    targets = rectangles([[(10, 20, 30, 60)]], (100, 200), stride=1)

    unit = to_unit(targets, (100, 200))

    np.testing.assert_allclose(unit.boxes.numpy(), [[[0.1, 0.4, 0.1, 0.4]]], rtol=1e-6)


def test_columns_that_are_padding_in_all_images_are_left_out() -> None:
    box = (0, 0, 4, 4)
    full = rectangles([[box] * 4, [box] * 4], (8, 8), stride=1)
    valid = paddle.to_tensor([[True, False, False, False], [True, True, False, False]])

    unit = to_unit(Targets(full.boxes, full.labels, full.masks, valid, full.sizes_hw), (8, 8))

    assert unit.counts == [1, 2]
    assert unit.num_instances == 3
    assert unit.boxes.shape == [2, 2, 4]
    assert unit.labels.shape == [2, 2]
    assert unit.masks.shape == [2, 2, 8, 8]
    assert unit.valid.tolist() == [[True, False], [True, True]]


def test_a_batch_without_instances_has_none() -> None:
    unit = to_unit(rectangles([[], []], (8, 8), stride=1), (8, 8))

    assert unit.counts == [0, 0]
    assert unit.num_instances == 0
    assert unit.boxes.shape == [2, 0, 4]


def test_centre_and_size_lead_back_to_the_corners() -> None:
    corners = paddle.to_tensor([[1.0, 2, 5, 10]])

    boxes = to_centre_size(corners)

    assert boxes.tolist() == [[3, 6, 4, 8]]
    assert to_corners(boxes).tolist() == corners.tolist()
