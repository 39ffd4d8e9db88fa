"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from segtune.recipe import ScheduleRecipe


def learning_rate(step: int, total_steps: int, peak: float, recipe: ScheduleRecipe) -> float:
    """Return the learning rate of a step, counted from 0.

    Linear warm-up to `peak`, then the decay that the recipe names. Warm-up ends before a quarter
    of the run and before the first milestone, so that a short run reaches its peak as well.
    """
    warmup = _warmup_steps(total_steps, recipe)
    if step < warmup:
        done = step / warmup
        return peak * (recipe.warmup_start * (1 - done) + done)
    if recipe.decay == "constant":
        return peak
    if recipe.decay == "step":
        passed = sum(step >= part * total_steps for part in recipe.milestones)
        return peak * recipe.gamma**passed
    end = recipe.horizon * total_steps
    done = min(1.0, (step - warmup) / max(1.0, end - warmup))
    low = peak * recipe.end_scale
    return low + (peak - low) * 0.5 * (math.cos(math.pi * done) + 1)


def _warmup_steps(total_steps: int, recipe: ScheduleRecipe) -> int:
    limit = total_steps / 4
    if recipe.decay == "step" and recipe.milestones:
        limit = min(limit, recipe.milestones[0] * total_steps)
    return min(recipe.warmup_steps, math.floor(limit))
