"""Groups dealt out to splits so that every split gets its share of every class.

The first pass is iterative stratification (https://doi.org/10.1007/978-3-642-23808-6_10), extended
from single images to groups that stay whole; the second moves groups for as long as that helps.

Shapes: G groups, C counted things, S splits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MAX_SWEEPS = 20  # measured: drawn datasets settle within 3 to 8


def stratify(
    counts: NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the split (G,) of every group.

    Args:
        counts: (G, C) how much of each thing a group has; the last column counts its images, and
            decides where the others do not.
        shares: (S,) the wish for each split; they sum to 1.
        rng: Decides between equals.

    Raises:
        ValueError: There are fewer groups than splits, or a group has no image.
    """
    if len(counts) < len(shares) or (counts[:, -1] < 1).any():
        raise ValueError(f"{len(counts)} groups for {len(shares)} splits, or an empty group")
    totals = counts.sum(axis=0)  # (C,)
    wish = np.outer(shares, totals)  # (S, C)
    chosen = _deal(counts, wish, rng)
    _fill_empty(counts, chosen, len(shares))
    _improve(counts, wish, chosen, rng)
    return chosen


def _deal(
    counts: NDArray[np.int64], wish: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal out the groups of the rarest thing first, each to the split that misses most of it."""
    chosen = np.full(len(counts), -1, np.int64)
    missing = wish.copy()  # (S, C)
    shuffled = rng.permutation(len(counts))
    while (chosen < 0).any():
        waiting = shuffled[chosen[shuffled] < 0]
        holders = (counts[waiting] > 0).sum(axis=0)  # (C,)
        present = np.flatnonzero(holders)
        # Images, the last column, stand in every group: they come when nothing else is left.
        rare = min(
            present.tolist(), key=lambda column: (column == counts.shape[1] - 1, holders[column])
        )
        own = waiting[counts[waiting, rare] > 0]
        for group in own[np.argsort(-counts[own, rare], kind="stable")].tolist():
            ties = rng.permutation(len(wish))
            best = max(ties.tolist(), key=lambda split: (missing[split, rare], missing[split, -1]))
            chosen[group] = best
            missing[best] -= counts[group]
    return chosen


def _fill_empty(counts: NDArray[np.int64], chosen: NDArray[np.int64], num_splits: int) -> None:
    """Give every split that got nothing the smallest group of the split with most groups."""
    for split in range(num_splits):
        if not (chosen == split).any():
            richest = int(np.bincount(chosen, minlength=num_splits).argmax())
            own = np.flatnonzero(chosen == richest)
            chosen[own[counts[own, -1].argmin()]] = split


def _improve(
    counts: NDArray[np.int64],
    wish: NDArray[np.float64],
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Move single groups for as long as the squared distance from the wish shrinks."""
    weights = 1.0 / np.maximum(counts.sum(axis=0), 1) ** 2  # (C,)
    # Half of all weight to the images: a split of the wrong size is as bad as one of wrong classes.
    weights[-1] *= max(len(weights) - 1, 1)
    held = np.zeros_like(wish)  # (S, C)
    np.add.at(held, chosen, counts)
    sizes = np.bincount(chosen, minlength=len(wish))
    for _ in range(_MAX_SWEEPS):
        moved = False
        for group in rng.permutation(len(counts)).tolist():
            here, own = int(chosen[group]), counts[group]
            if sizes[here] == 1:
                continue
            excess = held - wish  # (S, C)
            gain_here = (weights * own * (2 * excess[here] - own)).sum()
            costs = (weights * own * (2 * excess + own)).sum(axis=1)  # (S,)
            costs[here] = gain_here
            best = int(costs.argmin())
            if costs[best] < gain_here - 1e-12:
                chosen[group] = best
                held[here] -= own
                held[best] += own
                sizes[here] -= 1
                sizes[best] += 1
                moved = True
        if not moved:
            return
