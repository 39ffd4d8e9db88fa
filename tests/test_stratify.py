from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.stratify import stratify

SHARES = [0.7, 0.2, 0.1]


def _drawn(seed: int, num_groups: int = 120) -> NDArray[np.int64]:
    """Return counts of groups of 1 to 4 images with 6 classes, of which one is rare."""
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 5, num_groups)
    instances = rng.poisson([2.0, 1.0, 1.0, 0.5, 0.3, 0.1], (num_groups, 6)) * images[:, None]
    return np.concatenate([instances, images[:, None]], axis=1).astype(np.int64)


def _shares(counts: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    held = np.array([counts[chosen == split].sum(axis=0) for split in range(len(SHARES))])
    return held / counts.sum(axis=0)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_met_and_class_shares_better_than_by_chance(seed: int) -> None:
    counts = _drawn(seed)
    rng = np.random.default_rng(seed)

    chosen = stratify(counts, SHARES, rng)

    wish = np.array(SHARES)[:, None]
    gaps = np.abs(_shares(counts, chosen) - wish)
    by_chance = [np.abs(_shares(counts, rng.permutation(chosen)) - wish).mean() for _ in range(20)]
    assert set(chosen.tolist()) == {0, 1, 2}
    assert gaps[:, -1].max() < 0.02  # images
    assert gaps.mean() < 0.5 * min(by_chance)


def test_a_class_of_ten_groups_is_dealt_out_7_2_1() -> None:
    counts = np.array([[1, 0, 1]] * 10 + [[0, 1, 1]] * 20, np.int64)

    chosen = stratify(counts, SHARES, np.random.default_rng(0))

    assert np.bincount(chosen[:10]).tolist() == [7, 2, 1]
    assert np.bincount(chosen[10:]).tolist() == [14, 4, 2]


def test_every_split_gets_something_however_small_its_share() -> None:
    counts = np.ones((3, 1), np.int64)

    chosen = stratify(counts, [0.98, 0.01, 0.01], np.random.default_rng(0))

    assert sorted(chosen.tolist()) == [0, 1, 2]


def test_same_seed_same_deal_other_seed_another() -> None:
    counts = _drawn(0)

    one, same, other = (stratify(counts, SHARES, np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("counts", [np.zeros((0, 2)), np.ones((2, 1)), np.zeros((5, 1))])
def test_too_few_groups_are_a_bug_of_the_caller(counts: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="groups for 3 splits"):
        stratify(counts.astype(np.int64), SHARES, np.random.default_rng(0))
