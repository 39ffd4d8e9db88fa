"""Convolution, batch norm and activation in one layer, and their fusion for prediction.

Shapes: N images, C channels, h x w feature map.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

Activation = Callable[[Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Layer)


class BatchNorm(nn.BatchNorm2D):
    """Batch norm that does not warn on its first training pass, as Paddle's own does."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a feature (N, C, h, w) per channel."""
        return F.batch_norm(
            x,
            self._mean,
            self._variance,
            self.weight,
            self.bias,
            training=self.training,
            momentum=self._momentum,
            epsilon=self._epsilon,
        )


class FusibleLayer(nn.Layer, ABC):
    """A layer that one convolution can stand for, once training is over."""

    @abstractmethod
    def fused(self) -> FusedConv:
        """Return the convolution that computes what this layer computes in eval mode."""


class ConvNorm(FusibleLayer):
    """Square convolution without bias that keeps the size at stride 1, batch norm, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        activation: Activation | None = None,
        weight_init: nn.initializer.Initializer | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            weight_attr=weight_init,
            bias_attr=False,
        )
        self.bn = BatchNorm(out_channels)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / stride, w / stride)."""
        normed = self.bn(self.conv(x))
        return normed if self.activation is None else self.activation(normed)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return kernel and bias of the convolution that equals conv and norm in eval mode."""
        factor = self.bn.weight / paddle.sqrt(self.bn._variance + self.bn._epsilon)
        return self.conv.weight * factor.reshape([-1, 1, 1, 1]), (
            self.bn.bias - self.bn._mean * factor
        )

    @paddle.no_grad()
    def fused(self) -> FusedConv:
        """Return one convolution with bias, and the activation."""
        kernel, bias = self.folded()
        return FusedConv(kernel, bias, self.conv._stride[0], self.activation)


class FusedConv(nn.Layer):
    """Convolution with bias and activation, made from given tensors."""

    def __init__(
        self, kernel: Tensor, bias: Tensor, stride: int, activation: Activation | None
    ) -> None:
        super().__init__()
        out_channels, in_channels, kernel_size, _ = kernel.shape
        self.conv = nn.Conv2D(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2
        )
        self.conv.weight.set_value(kernel)
        self.conv.bias.set_value(bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / stride, w / stride)."""
        response = self.conv(x)
        return response if self.activation is None else self.activation(response)


def fused_copy(network: Network) -> Network:
    """Return a copy in eval mode that predicts the same with fewer layers; it cannot train.

    Meant for export. Run eagerly on a CPU it is no faster, since Paddle adds the bias in a pass
    that takes longer than the norm's (measured with Paddle 3.3.1).
    """
    fused = copy.deepcopy(network)
    _fuse_children(fused)
    fused.eval()
    return fused


def _fuse_children(layer: nn.Layer) -> None:
    for name, child in list(layer.named_children()):
        if isinstance(child, FusibleLayer):
            setattr(layer, name, child.fused())
        else:
            _fuse_children(child)
