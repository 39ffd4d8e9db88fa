"""Optimizers as a recipe describes them, and their state by structured names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import paddle
from paddle import nn

from segtune.errors import CheckpointError, RecipeError
from segtune.recipe import OptimizerRecipe

NORM_LAYERS = (nn.BatchNorm2D, nn.LayerNorm, nn.GroupNorm)


def build_optimizer(network: nn.Layer, recipe: OptimizerRecipe) -> paddle.optimizer.Optimizer:
    """Return the recipe's optimizer over the trainable parameters of a network.

    Norm scales and shifts do not decay unless the recipe says so; convolution and linear biases
    do. Gradients are clipped before the L2 term is added. Parameters with a learning rate scale
    of 0 are frozen, norm statistics aside. The loop sets the learning rate before every step.

    Rates and decays are attributes of the parameters and not groups: Paddle clips the gradients
    of each group on its own, where the norm of all of them together is meant.

    Raises:
        RecipeError: The recipe scales the rate of a part that the network does not have.
    """
    clip = None if recipe.clip_norm is None else nn.ClipGradByGlobalNorm(recipe.clip_norm)
    undecayed = set() if recipe.decay_norms else _norm_parameters(network)
    scales = _lr_scales([name for name, _ in network.named_parameters()], recipe)
    trained, decayed = [], set()
    for name, parameter in network.named_parameters():
        scale = scales[name]
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


def _lr_scales(names: Iterable[str], recipe: OptimizerRecipe) -> dict[str, float]:
    """Return the learning rate of each parameter as a multiple of the recipe's.

    Raises:
        RecipeError: No parameter is in a part of `lr_scales`.
    """
    parts_of = {name: _parts_around(name) for name in names}
    known = {part for parts in parts_of.values() for part in parts}
    for part in recipe.lr_scales:
        if part not in known:
            nearest = difflib.get_close_matches(part, sorted(known), n=1, cutoff=0)[0]
            raise RecipeError(
                f"optimizer.lr_scales names {part!r}, which is no part of the network",
                where=f"optimizer.lr_scales.{part}",
                remedy=f"did you mean {nearest}?",
            )
    scales = {}
    for name, parts in parts_of.items():
        own = next((recipe.lr_scales[part] for part in parts if part in recipe.lr_scales), 1.0)
        scales[name] = own * (recipe.backbone_lr_scale if parts[-1] == "backbone" else 1.0)
    return scales


def _parts_around(name: str) -> list[str]:
    """Return a parameter's name and the ever larger parts that it is in: a.b.c, a.b, a."""
    words = name.split(".")
    return [".".join(words[:length]) for length in range(len(words), 0, -1)]


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
