"""Layers with the initial values that the reference gives them."""

from __future__ import annotations

import copy
from math import sqrt

import paddle.nn.functional as F
from paddle import nn

from segtune.models.conv_norm import ConvNorm


def zeros() -> nn.initializer.Initializer:
    """Return the initial value of what begins at zero."""
    return nn.initializer.Constant(0.0)


def uniform(fan_in: int) -> nn.initializer.Initializer:
    """Return values between plus and minus 1 / sqrt(fan_in)."""
    bound = 1 / sqrt(fan_in)
    return nn.initializer.Uniform(-bound, bound)


def base_conv(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1
) -> ConvNorm:
    """Return a convolution with norm and SiLU, as every part of the neck has it."""
    return ConvNorm(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        activation=F.silu,
        weight_init=uniform(in_channels * kernel_size**2),
    )


def uniform_linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer whose weights and biases begin uniform."""
    start = uniform(in_features)
    return nn.Linear(in_features, out_features, weight_attr=start, bias_attr=start)


def xavier_linear(
    in_features: int, out_features: int, *, bias: nn.initializer.Initializer | None = None
) -> nn.Linear:
    """Return a linear layer whose weights begin uniform by both widths; bias: uniform if None."""
    return nn.Linear(
        in_features,
        out_features,
        weight_attr=nn.initializer.XavierUniform(),
        bias_attr=uniform(in_features) if bias is None else bias,
    )


def equal_layers(layer: nn.Layer, number: int) -> nn.LayerList:
    """Return a list of a layer and copies of it, with parameters of their own."""
    return nn.LayerList([layer, *(copy.deepcopy(layer) for _ in range(number - 1))])
