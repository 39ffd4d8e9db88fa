"""A few images that stand for many: all classes, in the shares that they have.

Shapes: n images, C counted things.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MAX_CANDIDATES = 2000  # images that are weighed against each other at a time


def choose_like_whole(
    counts: NDArray[np.int64], num: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of `num` images whose counts are near to their share of the whole.

    Things that nothing chosen shows yet come first, the rarest before all.

    Args:
        counts: (n, C) how much of each thing an image has.
        num: How many images; at most n.
        rng: Decides between equals.
    """
    totals = counts.sum(axis=0)  # (C,)
    weights = 1.0 / np.maximum(totals, 1) ** 2
    holders = (counts > 0).sum(axis=0)
    waiting = rng.permutation(len(counts))
    held = np.zeros(counts.shape[1])
    chosen: list[int] = []
    while len(chosen) < num:
        absent = np.flatnonzero((held == 0) & (holders > 0))
        candidates = waiting
        if len(absent):
            rarest = absent[holders[absent].argmin()]
            candidates = waiting[counts[waiting, rarest] > 0]
        candidates = candidates[:_MAX_CANDIDATES]
        own = counts[candidates]
        wish = totals * (len(chosen) + 1) / len(counts)  # of as many images as there are by then
        costs = (weights * own * (2 * (held - wish) + own)).sum(axis=1)
        best = int(candidates[costs.argmin()])
        chosen.append(best)
        held += counts[best]
        waiting = rng.permutation(waiting[waiting != best])
    return np.sort(np.array(chosen, np.int64))


def choose_per_class(
    counts: NDArray[np.int64], num: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of images such that `num` show each thing, or all that do.

    Args:
        counts: (n, C) how much of each thing an image has.
        num: How many images of each thing, at least.
        rng: Decides which.
    """
    shows = counts > 0  # (n, C)
    is_chosen = np.zeros(len(counts), np.bool_)
    for thing in np.argsort(shows.sum(axis=0), kind="stable").tolist():
        candidates = rng.permutation(np.flatnonzero(shows[:, thing] & ~is_chosen))
        lacking = num - int((shows[:, thing] & is_chosen).sum())
        is_chosen[candidates[: max(lacking, 0)]] = True
    return np.flatnonzero(is_chosen)
