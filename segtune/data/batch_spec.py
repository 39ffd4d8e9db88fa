"""The size and the interpolation that all images of a training batch share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segtune.preprocess import INTERPOLATION_CODES, PreprocessSpec
from segtune.recipe import AugmentRecipe


def draw_batch_spec(
    spec: PreprocessSpec, recipe: AugmentRecipe, *, seed: int, epoch: int, step: int
) -> PreprocessSpec:
    """Return `spec` with what `recipe` wants drawn for each batch; the numbers alone decide it.

    Args:
        spec: How the network wants its images when nothing is drawn.
        recipe: Which sides to draw from, and whether to draw the interpolation.
        seed: Of the run.
        epoch: Of the batch.
        step: Of the batch in its epoch, from 0.
    """
    # The order of an epoch is drawn under (epoch,), a sample under (epoch, index): the length of
    # the key keeps the three streams apart.
    sequence = np.random.SeedSequence(seed, spawn_key=(epoch, step, 0))
    generator = np.random.default_rng(sequence)
    if recipe.sizes:
        spec = _with_side(spec, int(generator.choice(recipe.sizes)))
    if recipe.random_interpolation:
        spec = replace(spec, interpolation=str(generator.choice(list(INTERPOLATION_CODES))))
    return spec


def _with_side(spec: PreprocessSpec, side: int) -> PreprocessSpec:
    """Return `spec` for squares of `side`, or with kept ratio for that short side."""
    long_side = max(spec.size_hw) if spec.keep_ratio else side
    return replace(spec, size_hw=(side, long_side))
