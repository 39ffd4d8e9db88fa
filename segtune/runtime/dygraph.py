"""The network as it trains, run by Paddle without tracing.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import NDArray

from segtune.devices import Device, open_device
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import Outputs


class DygraphBackend:
    """Runs a network in eval mode on the weights that it has at that moment.

    Raises:
        DeviceError: The device is not there.
    """

    def __init__(self, network: InstanceSegmenter, device: Device) -> None:
        open_device(device)
        self._network = network

    @paddle.no_grad()
    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs, as arrays, of network inputs (N, 3, h, w).

        The images on them are of `sizes_hw` (N, 2), the rest is padding. The network is left in
        the mode in which it was found, so that training may go on.
        """
        was_training = self._network.training
        self._network.eval()
        try:
            outputs = self._network(paddle.to_tensor(images), paddle.to_tensor(sizes_hw))
            return Outputs(*(tensor.numpy() for tensor in outputs))
        finally:
            if was_training:
                self._network.train()
