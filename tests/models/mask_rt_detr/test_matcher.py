from __future__ import annotations

from itertools import permutations

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray

from segtune.models.mask_rt_detr.denoising import DenoisingQueries
from segtune.models.mask_rt_detr.matcher import Pairs, match_queries, pair_copies
from segtune.models.mask_rt_detr.points import PointSamples
from segtune.models.mask_rt_detr.targets import UnitTargets
from segtune.models.mask_rt_detr.transformer import Predictions
from tests.models.mask_rt_detr.units import unit_targets

LAYERS, CLASSES, CHANNELS, POINTS = 2, 3, 2, 16


def random_case(
    labels: list[list[int]], num_queries: int, seed: int
) -> tuple[Predictions, UnitTargets, list[PointSamples]]:
    random = np.random.default_rng(seed)
    shape = (LAYERS, len(labels), num_queries)
    boxes = np.concatenate(
        [random.uniform(0.2, 0.8, (*shape, 2)), random.uniform(0.1, 0.4, (*shape, 2))], axis=-1
    )
    predictions = Predictions(
        *(
            paddle.to_tensor(array.astype(np.float32))
            for array in (
                2 * random.standard_normal((*shape, CLASSES)),
                boxes,
                random.standard_normal((*shape, CHANNELS)),
            )
        )
    )
    samples = [
        PointSamples(
            paddle.to_tensor(random.standard_normal((POINTS, CHANNELS)).astype(np.float32)),
            paddle.to_tensor(random.uniform(0, 1, (len(row), POINTS)).astype(np.float32)),
        )
        for row in labels
    ]
    return predictions, unit_targets(labels), samples


def cost_of_pair(
    logit: float,
    box: NDArray[np.float32],
    own: NDArray[np.float32],
    mask_logits: NDArray[np.float32],
    mask: NDArray[np.float32],
) -> float:
    """The cost of a query and an instance, term by term."""
    p = 1 / (1 + np.exp(-logit))
    label = 0.25 * (1 - p) ** 2 * -np.log(p + 1e-8) - 0.75 * p**2 * -np.log(1 - p + 1e-8)
    (x1, y1), (x2, y2) = box[:2] - box[2:] / 2, box[:2] + box[2:] / 2
    (u1, v1), (u2, v2) = own[:2] - own[2:] / 2, own[:2] + own[2:] / 2
    shared = max(min(x2, u2) - max(x1, u1), 0) * max(min(y2, v2) - max(y1, v1), 0)
    union = box[2] * box[3] + own[2] * own[3] - shared
    hull = (max(x2, u2) - min(x1, u1)) * (max(y2, v2) - min(y1, v1))
    giou = shared / union - (hull - union) / hull
    s = 1 / (1 + np.exp(-mask_logits))
    entropy = -np.mean(mask * np.log(s) + (1 - mask) * np.log(1 - s))
    dice = 1 - (2 * np.sum(s * mask) + 1) / (np.sum(s) + np.sum(mask) + 1)
    return float(4 * label + 5 * np.abs(box - own).sum() - 2 * giou + 5 * entropy + 5 * dice)


def brute_force(costs: NDArray[np.float64]) -> set[tuple[int, int]]:
    """The pairs (query, instance) of least cost, of all that there are."""
    num_queries, count = costs.shape
    if count > num_queries:
        return {(query, instance) for instance, query in brute_force(costs.T)}
    best = min(
        permutations(range(num_queries), count),
        key=lambda queries: sum(costs[query, i] for i, query in enumerate(queries)),
    )
    return {(query, instance) for instance, query in enumerate(best)}


def of_layer(pairs: Pairs, layer: int, image: int) -> set[tuple[int, int]]:
    chosen = (pairs.layer == layer) & (pairs.image == image)
    return set(zip(pairs.query[chosen].tolist(), pairs.instance[chosen].tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("labels", "num_queries"),
    [
        pytest.param([[0, 2], [1]], 4, id="two images"),
        pytest.param([[], [1, 1, 0]], 3, id="first image without instances"),
        pytest.param([[2, 0, 1, 1]], 2, id="more instances than queries"),
    ],
)
def test_pairs_are_those_of_least_cost(
    labels: list[list[int]], num_queries: int, seed: int
) -> None:
    predictions, targets, samples = random_case(labels, num_queries, seed)
    logits, boxes, filters = (field.numpy() for field in predictions)

    pairs = match_queries(predictions, targets, samples)

    per_image = [min(len(row), num_queries) for row in labels]
    assert pairs.counts(len(labels)) == [LAYERS * number for number in per_image]
    assert len(pairs) == LAYERS * sum(per_image)
    assert np.diff(pairs.image).min() >= 0
    for layer in range(LAYERS):
        for image, row in enumerate(labels):
            costs = np.zeros((num_queries, len(row)))
            for query, instance in np.ndindex(*costs.shape):
                at = (layer, image, query)
                costs[query, instance] = cost_of_pair(
                    logits[(*at, row[instance])],
                    boxes[at],
                    targets.boxes.numpy()[image, instance],
                    samples[image].pixels.numpy() @ filters[at],
                    samples[image].masks.numpy()[instance],
                )
            assert of_layer(pairs, layer, image) == brute_force(costs)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_costs_that_are_not_finite_are_an_error(bad: float) -> None:
    predictions, targets, samples = random_case([[0], [1]], 3, seed=0)
    predictions.boxes[1, 1, 2, 0] = bad

    with pytest.raises(FloatingPointError, match="not finite"):
        match_queries(predictions, targets, samples)


def test_batches_without_instances_have_no_pairs() -> None:
    predictions, targets, samples = random_case([[], []], 3, seed=0)

    pairs = match_queries(predictions, targets, samples)

    assert len(pairs) == 0
    assert pairs.counts(2) == [0, 0]


def test_copies_learn_the_instances_that_they_are_copies_of() -> None:
    targets = unit_targets([[0, 1], [2]])
    denoising = DenoisingQueries(paddle.zeros([2, 6], "int64"), paddle.zeros([2, 6, 4]), 3)

    pairs = pair_copies(denoising, targets, num_layers=2)

    for layer in range(2):
        assert of_layer(pairs, layer, 0) == {(0, 0), (1, 1), (2, 0), (3, 1), (4, 0), (5, 1)}
        assert of_layer(pairs, layer, 1) == {(0, 0), (2, 0), (4, 0)}
    assert pairs.counts(2) == [12, 6]
    assert np.diff(pairs.image).min() >= 0
