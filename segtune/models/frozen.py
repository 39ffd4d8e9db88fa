"""Parts of a backbone that stay as they were published, and how they learn after all."""

from __future__ import annotations

from paddle import nn

from segtune.models.conv_norm import BatchNorm

STATISTICS = ("._mean", "._variance")  # of norms: parameters to Paddle, but never trained


def frozen_parts(network: nn.Layer) -> list[str]:
    """Return the names of the backbone's parameters that do not learn."""
    return [
        name
        for name, parameter in network.named_parameters()
        if name.startswith("backbone.")
        and parameter.stop_gradient
        and not name.endswith(STATISTICS)
    ]


def thaw(network: nn.Layer) -> None:
    """Let the whole backbone learn, and its norms follow the batches."""
    frozen = set(frozen_parts(network))
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.stop_gradient = False
    for layer in network.sublayers():
        if isinstance(layer, BatchNorm) and layer.frozen:
            layer.thaw()
