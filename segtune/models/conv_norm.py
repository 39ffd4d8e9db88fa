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
    """Batch norm that may be frozen: a constant scale and shift per channel, also while training.

    Paddle's own warns on its first training pass, and a frozen one would thaw when a network is
    converted to norms that are synchronised over several devices.

    Attributes:
        frozen: Whether training leaves the statistics as they are and normalises by them.
    """

    def __init__(self, channels: int, *, frozen: bool = False) -> None:
        super().__init__(channels)
        self.frozen = frozen
        self.weight.stop_gradient = frozen
        self.bias.stop_gradient = frozen

    def thaw(self) -> None:
        """Train scale and shift, and normalise by the batch's own statistics from now on."""
        self.frozen = False
        self.weight.stop_gradient = False
        self.bias.stop_gradient = False

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
            use_global_stats=self.frozen or not self.training,
        )


class FusibleLayer(nn.Layer, ABC):
    """A layer that one convolution can stand for, once training is over."""

    @abstractmethod
    def fused(self) -> FusedConv:
        """Return the convolution that computes what this layer computes in eval mode."""


class ConvNorm(FusibleLayer):
    """Square convolution without bias that keeps the size at stride 1, batch norm, activation.

    An even kernel looks one pixel further right and down than left and up.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel_size: Height and width.
        stride: Pixels from one output to the next.
        groups: Parts of the channels that do not see each other.
        activation: Applied last, if any.
        weight_init: Of the kernel.
        frozen_norm: Whether the norm is a constant in training.
        names: Of convolution and norm in the state dict.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Activation | None = None,
        weight_init: nn.initializer.Initializer | None = None,
        frozen_norm: bool = False,
        names: tuple[str, str] = ("conv", "bn"),
    ) -> None:
        super().__init__()
        self._names = names
        conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=_same_padding(kernel_size),
            groups=groups,
            weight_attr=weight_init,
            bias_attr=False,
        )
        self.add_sublayer(names[0], conv)
        self.add_sublayer(names[1], BatchNorm(out_channels, frozen=frozen_norm))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / stride, w / stride)."""
        conv, norm = self._parts()
        normed = norm(conv(x))
        return normed if self.activation is None else self.activation(normed)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return kernel and bias of the convolution that equals conv and norm in eval mode."""
        conv, norm = self._parts()
        factor = norm.weight / paddle.sqrt(norm._variance + norm._epsilon)
        return conv.weight * factor.reshape([-1, 1, 1, 1]), norm.bias - norm._mean * factor

    @paddle.no_grad()
    def fused(self) -> FusedConv:
        """Return one convolution with bias, and the activation."""
        kernel, bias = self.folded()
        conv, _ = self._parts()
        return FusedConv(kernel, bias, self.activation, stride=conv._stride[0], groups=conv._groups)

    def _parts(self) -> tuple[nn.Conv2D, BatchNorm]:
        conv, norm = (self._sub_layers[name] for name in self._names)
        return conv, norm


class FusedConv(nn.Layer):
    """Convolution with bias and activation, made from given tensors."""

    def __init__(
        self,
        kernel: Tensor,
        bias: Tensor,
        activation: Activation | None,
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        out_channels, in_channels, kernel_size, _ = kernel.shape
        self.conv = nn.Conv2D(
            in_channels * groups,
            out_channels,
            kernel_size,
            stride=stride,
            padding=_same_padding(kernel_size),
            groups=groups,
        )
        self.conv.weight.set_value(kernel)
        self.conv.bias.set_value(bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (N, C, h, w) to (N, C', h / stride, w / stride)."""
        response = self.conv(x)
        return response if self.activation is None else self.activation(response)


def _same_padding(kernel_size: int) -> int | list[int]:
    """Return the padding that keeps the size at stride 1: top, bottom, left, right if uneven."""
    before, after = (kernel_size - 1) // 2, kernel_size // 2
    return before if before == after else [before, after, before, after]


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
