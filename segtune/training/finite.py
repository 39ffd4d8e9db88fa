"""Whether losses and gradients are finite, at one transfer from the device each."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import paddle
from paddle import nn

_NAMED = 3  # parameters that a message names; a spoiled step often spoils all of them


def values_of(losses: Mapping[str, paddle.Tensor]) -> dict[str, float]:
    """Return losses as numbers, finite or not."""
    flat = paddle.stack([value.reshape([]) for value in losses.values()]).numpy()
    return {name: float(value) for name, value in zip(losses, np.asarray(flat), strict=True)}


def refuse_odd_losses(values: Mapping[str, float]) -> None:
    """Raise FloatingPointError when a loss is not finite."""
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        raise FloatingPointError(f"{', '.join(odd)} is not finite")


def refuse_odd_gradients(network: nn.Layer) -> None:
    """Raise FloatingPointError when a gradient is not finite."""
    odd = odd_gradients(network)
    if odd:
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        raise FloatingPointError(
            f"the gradient of {', '.join(odd[:_NAMED])}{more} is not finite, the losses are"
        )


def odd_gradients(network: nn.Layer) -> list[str]:
    """Return the names of the parameters whose gradient is not finite.

    A sum of squares would need one number in place of one for each parameter, but it overflows
    where all gradients are finite, and takes longer.
    """
    gradients = {
        name: parameter.grad
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient and parameter.grad is not None
    }
    if not gradients:
        return []
    finite = paddle.stack([paddle.isfinite(each).all() for each in gradients.values()]).numpy()
    return [name for name, good in zip(gradients, finite, strict=True) if not good]
