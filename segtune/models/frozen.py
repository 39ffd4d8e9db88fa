"""Parts of a network that stay as they were published, and how they learn after all."""

from __future__ import annotations

from paddle import nn

from segtune.models.conv_norm import BatchNorm

STATISTICS = ("._mean", "._variance")  # of norms: parameters to Paddle, but never trained


def frozen_parts(network: nn.Layer) -> list[str]:
    """Return the names of parameters that do not learn: of the backbone, and of frozen norms.

    What else has no gradient is a constant of its family and no published weight.
    """
    of_norms = {
        f"{path}.{name}"
        for path, norm in network.named_sublayers()
        if isinstance(norm, BatchNorm) and norm.frozen
        for name, _ in norm.named_parameters()
    }
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.stop_gradient
        and (name.startswith("backbone.") or name in of_norms)
        and not name.endswith(STATISTICS)
    ]


def thaw(network: nn.Layer) -> None:
    """Let everything learn that was frozen, and all norms follow the batches."""
    frozen = set(frozen_parts(network))
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.stop_gradient = False
    for layer in network.sublayers():
        if isinstance(layer, BatchNorm) and layer.frozen:
            layer.thaw()
