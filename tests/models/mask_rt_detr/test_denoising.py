from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from segtune.models.mask_rt_detr import denoising
from segtune.models.mask_rt_detr.denoising import DenoisingQueries, make_noisy_queries
from segtune.models.mask_rt_detr.targets import UnitTargets
from tests.models.mask_rt_detr.units import unit_targets

NUM_CLASSES = 5


def noisy(targets: UnitTargets, num_queries: int) -> DenoisingQueries:
    queries = make_noisy_queries(targets, NUM_CLASSES, num_queries)
    assert queries is not None
    return queries


def test_groups_repeat_the_instances_of_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "LABEL_NOISE", 0.0)
    monkeypatch.setattr(denoising, "BOX_NOISE", 0.0)
    targets = unit_targets([[3, 1, 4], [2], []])

    queries = noisy(targets, 7)

    assert queries.num_groups == 2  # 7 // 3
    padding = NUM_CLASSES
    assert queries.labels.tolist() == [
        [3, 1, 4, 3, 1, 4],
        [2, padding, padding, 2, padding, padding],
        [padding] * 6,
    ]
    expected = np.tile(targets.boxes.numpy(), (1, 2, 1))
    # Zeros come back as the least that has a logarithm.
    np.testing.assert_allclose(queries.boxes.numpy(), expected, atol=2e-5)


def test_more_instances_than_queries_make_one_group() -> None:
    queries = noisy(unit_targets([[0, 1, 2, 3]]), 2)

    assert queries.num_groups == 1
    assert queries.labels.shape == [1, 4]


@pytest.mark.parametrize(
    ("labels", "num_queries"),
    [
        pytest.param([[], []], 100, id="no instances"),
        pytest.param([[1]], 0, id="no queries"),
    ],
)
def test_nothing_to_copy_gives_none(labels: list[list[int]], num_queries: int) -> None:
    assert make_noisy_queries(unit_targets(labels), NUM_CLASSES, num_queries) is None


def test_padding_has_no_content_and_labels_learn() -> None:
    embedding = nn.Embedding(2, 3)
    embedding.weight.set_value(paddle.to_tensor([[1.0, 2, 3], [4, 5, 6]]))
    queries = DenoisingQueries(paddle.to_tensor([[1, 2, 1]]), paddle.zeros([1, 3, 4]), 1)

    content = queries.content(embedding)
    content.sum().backward()

    assert content.tolist() == [[[4, 5, 6], [0, 0, 0], [4, 5, 6]]]
    assert embedding.weight.grad.tolist() == [[0, 0, 0], [2, 2, 2]]


def test_a_group_sees_itself_and_what_is_matched_which_sees_no_copies() -> None:
    queries = DenoisingQueries(paddle.zeros([1, 4], "int64"), paddle.zeros([1, 4, 4]), 2)

    mask = queries.attention_mask(3).numpy()

    assert set(np.unique(mask)) == {0, -np.inf}
    assert (mask == 0).astype(int).tolist() == [
        [1, 1, 0, 0, 1, 1, 1],
        [1, 1, 0, 0, 1, 1, 1],
        [0, 0, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1],
    ]


def test_a_quarter_of_the_labels_is_drawn_anew_but_never_padding() -> None:
    paddle.seed(0)
    num_classes = 1000  # so that hardly any draw hits the true label

    queries = make_noisy_queries(unit_targets([[7, 7], [7]]), num_classes, 8000)

    assert queries is not None
    labels = queries.labels.numpy()
    assert (labels[1, 1::2] == num_classes).all()
    real = np.concatenate([labels[0], labels[1, 0::2]])
    assert real.min() >= 0
    assert real.max() < num_classes
    assert np.mean(real != 7) == pytest.approx(0.25, abs=0.02)  # 12000 draws, five deviations
    assert np.median(real[real != 7]) == pytest.approx(500, abs=50)


def test_centres_move_half_a_side_and_sizes_a_whole_one() -> None:
    paddle.seed(0)
    targets = unit_targets([[0]])
    centre, sides = np.split(targets.boxes.numpy()[0, 0], 2)

    boxes = noisy(targets, 4000).boxes.numpy()[0]

    reach = np.concatenate([sides / 2, sides])
    moves = (boxes - np.concatenate([centre, sides])) / reach
    assert np.abs(moves).max() <= 1 + 1e-3
    np.testing.assert_allclose(moves.min(axis=0), -1, atol=0.01)
    np.testing.assert_allclose(moves.max(axis=0), 1, atol=0.01)
    np.testing.assert_allclose(moves.mean(axis=0), 0, atol=0.05)
