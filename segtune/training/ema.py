"""Averaged weights of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn

from segtune.recipe import EmaRecipe


class Ema:
    """An exponential moving average of parameters and norm statistics.

    The average starts at zero and is divided by the weight that it has seen, 1 - product of all
    decays. That is exact for every kind of decay, where dividing by 1 - decay^n, as upstream does
    for `threshold`, is up to 1.5 % off at the start of a run. Frozen parameters are not averaged.
    """

    def __init__(self, network: nn.Layer, recipe: EmaRecipe) -> None:
        self._recipe = recipe
        self._live = network.state_dict()
        frozen = {
            name
            for name, parameter in network.named_parameters()
            if parameter.stop_gradient and not name.endswith(("._mean", "._variance"))
        }
        self._average = {
            name: paddle.zeros_like(tensor)
            for name, tensor in self._live.items()
            if name not in frozen
        }
        self.num_updates = 0
        self.unseen_weight = 1.0  # product of all decays

    def update(self) -> None:
        """Blend the network's present weights in."""
        decay = self._decay()
        with paddle.no_grad():
            for name, average in self._average.items():
                average.lerp_(self._live[name], 1 - decay)
        self.num_updates += 1
        self.unseen_weight *= decay

    def weights(self) -> dict[str, paddle.Tensor]:
        """Return the averaged state dict; the live one before the first update."""
        if self.num_updates == 0:
            return dict(self._live)
        seen = 1 - self.unseen_weight
        return {
            name: self._average[name] / seen if name in self._average else tensor
            for name, tensor in self._live.items()
        }

    def state(self) -> dict[str, paddle.Tensor]:
        """Return the tensors that `restore` needs, besides the two numbers."""
        return dict(self._average)

    def restore(self, state: Mapping[str, Any], num_updates: int, unseen_weight: float) -> None:
        """Go on from a saved state."""
        for name, average in self._average.items():
            average.set_value(state[name])
        self.num_updates = num_updates
        self.unseen_weight = unseen_weight

    def _decay(self) -> float:
        limit, done = self._recipe.decay, self.num_updates
        if self._recipe.kind == "threshold":
            return min(limit, (1 + done) / (10 + done))
        if self._recipe.kind == "exponential":
            return limit * (1 - math.exp(-(done + 1) / 2000))
        return limit
