"""Every random source of a run from its one seed."""

from __future__ import annotations

import random

import numpy as np
import paddle


def seed_step(seed: int, step: int) -> None:
    """Set all random sources to a state that depends on the run's seed and the step alone.

    A resumed run therefore draws what the undisturbed one would have drawn. Weights are
    initialised at step -1.
    """
    state = int(np.random.SeedSequence([seed, step + 1]).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002  libraries read the global generator
    paddle.seed(state)
