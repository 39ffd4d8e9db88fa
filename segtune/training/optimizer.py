"""Optimizers as a recipe describes them, and their state by structured names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn

from segtune.errors import CheckpointError
from segtune.recipe import OptimizerRecipe

NORM_LAYERS = (nn.BatchNorm2D, nn.LayerNorm, nn.GroupNorm)


def build_optimizer(network: nn.Layer, recipe: OptimizerRecipe) -> paddle.optimizer.Optimizer:
    """Return the recipe's optimizer over the trainable parameters of a network.

    Norm scales and shifts do not decay unless the recipe says so; convolution and linear biases
    do. Gradients are clipped before the L2 term is added. A backbone with a learning rate scale
    of 0 is frozen, its norm statistics aside. The loop sets the learning rate before every step.

    Rates and decays are attributes of the parameters and not groups: Paddle clips the gradients
    of each group on its own, where the norm of all of them together is meant.
    """
    clip = None if recipe.clip_norm is None else nn.ClipGradByGlobalNorm(recipe.clip_norm)
    undecayed = set() if recipe.decay_norms else _norm_parameters(network)
    trained, decayed = [], set()
    for name, parameter in network.named_parameters():
        scale = recipe.backbone_lr_scale if name.startswith("backbone.") else 1.0
        if scale == 0:
            parameter.stop_gradient = True
        if parameter.stop_gradient:
            continue
        trained.append(parameter)
        parameter.optimize_attr["learning_rate"] = scale
        if name not in undecayed:
            decayed.add(parameter.name)
    if recipe.name == "adamw":
        return paddle.optimizer.AdamW(
            learning_rate=recipe.lr,
            parameters=trained,
            grad_clip=clip,
            weight_decay=recipe.weight_decay,
            apply_decay_param_fun=decayed.__contains__,
        )
    for parameter in trained:
        decay = recipe.weight_decay if parameter.name in decayed else 0.0
        parameter.regularizer = paddle.regularizer.L2Decay(decay)
    return paddle.optimizer.Momentum(
        learning_rate=recipe.lr, momentum=recipe.momentum, parameters=trained, grad_clip=clip
    )


def _norm_parameters(network: nn.Layer) -> set[str]:
    return {
        f"{path}.{name}" if path else name
        for path, layer in network.named_sublayers(include_self=True)
        if isinstance(layer, NORM_LAYERS)
        for name, _ in layer.named_parameters(include_sublayers=False)
    }


def optimizer_state(
    optimizer: paddle.optimizer.Optimizer, network: nn.Layer
) -> dict[str, paddle.Tensor]:
    """Return the optimizer's tensors as `<parameter>/<slot>`, by the network's own names.

    Paddle keys them by automatic names that depend on what else the process has built.
    """
    structured = {parameter.name: name for name, parameter in network.named_parameters()}
    return {
        f"{structured[owner]}/{slot}": tensor
        for slot, tensors in optimizer._accumulators.items()
        for owner, tensor in tensors.items()
    }


def restore_optimizer(
    optimizer: paddle.optimizer.Optimizer, network: nn.Layer, state: Mapping[str, Any]
) -> None:
    """Give an optimizer that has not stepped yet the state that `optimizer_state` returned.

    Raises:
        CheckpointError: The state names a parameter that the network does not have.
    """
    automatic = {name: parameter.name for name, parameter in network.named_parameters()}
    held = {}
    for key, value in state.items():
        name, slot = key.rsplit("/", 1)
        if name not in automatic:
            raise CheckpointError(
                "the optimizer state is of another network",
                where=name,
                remedy="resume with the segtune version and recipe that wrote the checkpoint",
            )
        held[f"{automatic[name]}_{slot}_0"] = paddle.to_tensor(value)
    optimizer.set_state_dict(held)
