from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
import pytest
from numpy.typing import ArrayLike, NDArray

from segtune.models.mask_rcnn.box_coder import Weights
from segtune.models.mask_rcnn.detections import Detections, ScoredRois, best_detections
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import regions

WEIGHTS = Weights(10.0, 10.0, 5.0, 5.0)
FIRST, OTHER = (0, 0, 10, 10), (40, 40, 50, 50)
LOWEST = np.float32(0.05)  # which does not pass
NEXT = np.nextafter(LOWEST, np.float32(1))


def scored(
    boxes: Sequence[Sequence[Box]],
    scores: ArrayLike,
    *,
    deltas: ArrayLike | None = None,
    sizes_hw: ArrayLike | None = None,
) -> ScoredRois:
    """Return regions with scores (N, P, K), that stay where they are if deltas are None."""
    proposals = regions(boxes)
    num_images, num_regions = proposals.is_valid.shape
    if deltas is None:
        deltas = np.zeros((num_images, num_regions, 4))
    if sizes_hw is None:
        sizes_hw = np.full((num_images, 2), 100.0)
    return ScoredRois(
        paddle.to_tensor(scores, "float32"),
        proposals.is_valid,
        proposals.boxes,
        paddle.to_tensor(deltas, "float32"),
        WEIGHTS,
        paddle.to_tensor(sizes_hw, "float32"),
    )


def rows_by_image(found: Detections) -> list[list[tuple[Any, ...]]]:
    """Return label, score and box of the rows of each image."""
    rows = [
        (label, score, *box)
        for label, score, box in zip(
            found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True
        )
    ]
    ends = np.cumsum(found.counts.numpy())
    assert ends[-1] == len(rows)
    return [rows[end - count : end] for end, count in zip(ends, found.counts.tolist(), strict=True)]


def slow_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.prod(sides.clip(min=0)))
    union = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])) - shared
    return shared / union if union > 0 else 0.0


def slow_detections(rois: ScoredRois, image: int) -> list[tuple[float, ...]]:
    """Return label, score and box of the rows of an image, class by class, the best ones first."""
    scores = rois.scores.numpy()[image]
    boxes = rois.boxes.numpy()[image].astype(np.float64)
    all_deltas = rois.deltas.numpy()[image].astype(np.float64).reshape(len(boxes), -1, 4)
    height, width = rois.sizes_hw.numpy()[image]
    rows = []
    for label in range(scores.shape[1]):
        kept: list[NDArray[np.float64]] = []
        for region in np.argsort(-scores[:, label], kind="stable"):
            if not scores[region, label] > LOWEST or not rois.is_valid.numpy()[image, region]:
                continue
            dx, dy, dw, dh = all_deltas[region, min(label, all_deltas.shape[1] - 1)]
            x1, y1, x2, y2 = boxes[region]
            x, y = (x1 + x2) / 2 + dx / 10 * (x2 - x1), (y1 + y2) / 2 + dy / 10 * (y2 - y1)
            half_width, half_height = (x2 - x1) / 2 * np.exp(dw / 5), (y2 - y1) / 2 * np.exp(dh / 5)
            box = np.array([x - half_width, y - half_height, x + half_width, y + half_height])
            box = np.clip(box, 0, [width, height, width, height])
            if all(slow_iou(box, other) <= 0.5 for other in kept):
                kept.append(box)
                rows.append((label, float(scores[region, label]), *box))
    best = sorted(rows, key=lambda row: -row[1])[:100]
    return sorted(best, key=lambda row: (row[0], -row[1]))


@pytest.mark.parametrize(
    "num_boxes", [pytest.param(3, id="boxes of classes"), pytest.param(1, id="shared boxes")]
)
def test_detections_are_those_of_a_slow_suppression(num_boxes: int) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-5, [[75, 70]] * 150 + [[40, 50]] * 60)
    sizes = rng.uniform(10, 40, corners.shape)
    boxes = [tuple(row) for row in np.concatenate([corners, corners + sizes], axis=1)]
    rois = scored(
        [boxes[:150], boxes[150:]],
        rng.uniform(0, 1, (2, 150, 3)) ** 2,
        deltas=rng.standard_normal((2, 150, 4 * num_boxes)),
        sizes_hw=[[100, 90], [70, 60]],
    )

    own = rows_by_image(best_detections(rois))

    expected = [slow_detections(rois, image) for image in (0, 1)]
    assert [len(rows) for rows in expected] == [100, len(own[1])]
    assert 20 < len(own[1]) < 100
    for found, wanted in zip(own, expected, strict=True):
        assert [row[0] for row in found] == [row[0] for row in wanted]  # sorted by label
        by_score = sorted(found, key=lambda row: (row[0], -row[1]))
        np.testing.assert_allclose(by_score, wanted, atol=1e-4)


def test_the_lowest_score_is_exclusive() -> None:
    found = best_detections(scored([[FIRST, OTHER]], [[[LOWEST], [NEXT]]]))

    assert rows_by_image(found) == [[(0, float(NEXT), *OTHER)]]


def test_the_largest_overlap_is_inclusive() -> None:
    half, more = (0, 0, 10, 5), (0, 0, 10, 5.25)

    found = best_detections(scored([[half, FIRST, more]], [[[0.5], [0.75], [0.625]]]))

    assert rows_by_image(found) == [[(0, 0.75, *FIRST), (0, 0.5, *half)]]


def test_a_region_may_be_several_classes_each_with_its_own_box() -> None:
    deltas = [[[0] * 4 + [10, 0, 0, 0] + [0, 10, 0, 0]]]  # to the right, down

    found = best_detections(scored([[FIRST]], [[[0.25, 0.75, 0.5]]], deltas=deltas))

    rows = [(0, 0.25, 0, 0, 10, 10), (1, 0.75, 10, 0, 20, 10), (2, 0.5, 0, 10, 10, 20)]
    assert rows_by_image(found) == [rows]


def test_boxes_are_clipped_before_they_suppress() -> None:
    # The second one is ten times as large but equal to the first one on the image.
    boxes = [[(0, 0, 10, 10), (0, 0, 100, 10)]]

    found = best_detections(scored(boxes, [[[0.75], [0.5]]], sizes_hw=[[10, 10]]))

    assert rows_by_image(found) == [[(0, 0.75, 0, 0, 10, 10)]]


def test_an_image_keeps_its_hundred_best_rows() -> None:
    grid: list[Box] = [
        (8.0 * i, 8.0 * j, 8 * i + 5, 8 * j + 5) for i in range(12) for j in range(10)
    ]
    scores = np.zeros((2, 120, 2))
    scores[0, :, 0] = np.linspace(0.1, 0.9, 120)
    scores[1, :7] = 0.5

    found = best_detections(scored([grid, grid], scores))

    assert found.counts.tolist() == [100, 14]
    assert found.scores[:100].min().item() == pytest.approx(np.linspace(0.1, 0.9, 120)[20])


def test_void_regions_are_not_detected_whatever_their_score() -> None:
    found = best_detections(scored([[FIRST, OTHER], [OTHER]], np.full((2, 2, 1), 0.5)))

    assert rows_by_image(found) == [[(0, 0.5, *FIRST), (0, 0.5, *OTHER)], [(0, 0.5, *OTHER)]]


@pytest.mark.parametrize(
    ("scores", "counts"),
    [
        pytest.param([[0.01, 0.02], [0.5, 0.01]], [0, 1], id="on the first image"),
        pytest.param([[0.01, 0.5], [0.01, 0.01]], [1, 0], id="on the last image"),
        pytest.param([[0.01, 0.02], [0.03, 0.04]], [0, 0], id="on none"),
    ],
)
def test_nothing_may_be_found(scores: list[list[float]], counts: list[int]) -> None:
    found = best_detections(scored([[FIRST, OTHER]] * 2, np.array(scores)[:, :, None]))

    assert found.counts.tolist() == counts
    assert list(found.boxes.shape) == [sum(counts), 4]
    assert list(found.scores.shape) == list(found.labels.shape) == [sum(counts)]
    assert found.labels.dtype == paddle.int64
