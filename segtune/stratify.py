"""Groups dealt out to splits so that every split gets its share of every class.

The first pass is iterative stratification (https://doi.org/10.1007/978-3-642-23808-6_10), extended
from single images to groups that stay whole; the second moves and swaps groups while that helps.

Shapes: G groups, C counted things, S splits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MAX_SWEEPS = 20
_MAX_GROUPS_TO_SWAP = 5000  # more of them come near enough by single moves
_LEAST_GAIN = 1e-12  # below it, rounding could send a group back and forth
_MAX_PARTNERS = 500  # that a group is weighed against for a swap


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


class _Deal:
    """Who is in which split, and how far what the splits hold is from the wish."""

    def __init__(
        self, counts: NDArray[np.int64], wish: NDArray[np.float64], chosen: NDArray[np.int64]
    ) -> None:
        self.counts = counts
        self.chosen = chosen
        self.sizes = np.bincount(chosen, minlength=len(wish))  # (S,)
        self.excess = -wish  # (S, C)
        np.add.at(self.excess, chosen, counts)
        self.weights = 1.0 / np.maximum(counts.sum(axis=0), 1) ** 2  # (C,)
        # Images weigh as much as all else: a split of the wrong size is as bad as wrong classes.
        self.weights[-1] *= max(len(self.weights) - 1, 1)

    def move(self, group: int, split: int) -> None:
        """Put a group into another split."""
        here = self.chosen[group]
        self.chosen[group] = split
        self.excess[here] -= self.counts[group]
        self.excess[split] += self.counts[group]
        self.sizes[here] -= 1
        self.sizes[split] += 1

    def move_if_better(self, group: int) -> bool:
        """Move a group to where the squared distance from the wish shrinks most, if anywhere."""
        here, own = int(self.chosen[group]), self.counts[group]
        if self.sizes[here] == 1:
            return False
        costs = (self.weights * own * (2 * self.excess + own)).sum(axis=1)  # (S,)
        gain = (self.weights * own * (2 * self.excess[here] - own)).sum()
        costs[here] = gain
        best = int(costs.argmin())
        if costs[best] >= gain - _LEAST_GAIN:
            return False
        self.move(group, best)
        return True

    def swap_if_better(self, group: int, rng: np.random.Generator) -> bool:
        """Swap a group with the one of another split that helps most, if any does."""
        here = int(self.chosen[group])
        partners = rng.permutation(np.flatnonzero(self.chosen != here))[:_MAX_PARTNERS]
        change = self.counts[partners] - self.counts[group]  # (partners, C)
        tilt = self.excess[here] - self.excess[self.chosen[partners]]
        costs = (2 * self.weights * change * (tilt + change)).sum(axis=1)
        best = int(costs.argmin())
        if costs[best] >= -_LEAST_GAIN:
            return False
        partner = int(partners[best])
        there = int(self.chosen[partner])
        self.move(group, there)
        self.move(partner, here)
        return True


def _improve(
    counts: NDArray[np.int64],
    wish: NDArray[np.float64],
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Move and swap groups for as long as the squared distance from the wish shrinks."""
    deal = _Deal(counts, wish, chosen)
    may_swap = len(counts) <= _MAX_GROUPS_TO_SWAP and len(wish) > 1
    for _ in range(_MAX_SWEEPS):
        helped = False
        for group in rng.permutation(len(counts)).tolist():
            helped |= deal.move_if_better(group) or (may_swap and deal.swap_if_better(group, rng))
        if not helped:
            return
