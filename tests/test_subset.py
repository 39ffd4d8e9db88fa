from __future__ import annotations

import numpy as np
import pytest

from segtune.subset import choose_like_whole, choose_per_class


@pytest.mark.parametrize("seed", range(10))
def test_a_chosen_tenth_has_all_classes_and_about_a_tenth_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson([3.0, 1.0, 0.5], (200, 3)).astype(np.int64)

    chosen = choose_like_whole(counts, 20, rng)

    assert len(set(chosen.tolist())) == 20
    np.testing.assert_allclose(counts[chosen].sum(axis=0) / counts.sum(axis=0), 0.1, atol=0.01)


def test_the_rarest_class_comes_in_even_if_there_is_one_image_of_it() -> None:
    counts = np.zeros((100, 3), np.int64)
    counts[:, 0] = 5
    counts[50:, 1] = 1
    counts[77, 2] = 1

    chosen = choose_like_whole(counts, 2, np.random.default_rng(0))

    assert 77 in chosen
    assert (counts[chosen].sum(axis=0) > 0).all()


@pytest.mark.parametrize("num", [0, 4])
def test_none_and_all(num: int) -> None:
    counts = np.ones((4, 1), np.int64)

    assert choose_like_whole(counts, num, np.random.default_rng(0)).tolist() == list(range(num))


def test_each_class_is_shown_as_often_as_wished_or_as_there_is() -> None:
    counts = np.zeros((30, 3), np.int64)
    counts[:20, 0] = counts[10:25, 1] = 2
    counts[[3, 29], 2] = 1

    chosen = choose_per_class(counts, 4, np.random.default_rng(0))

    shown = (counts[chosen] > 0).sum(axis=0).tolist()
    assert shown[2] == 2
    assert min(shown[:2]) >= 4
    assert len(chosen) <= 2 + 4 + 4
