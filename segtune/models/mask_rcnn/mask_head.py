"""The mask head: a small mask inside each box, one for every class.

See https://arxiv.org/abs/1703.06870. Shapes: R regions, C channels, s cells of a pooled side,
M = 2s cells of a mask's side, K classes.
"""

from __future__ import annotations

from math import sqrt

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

_CHANNELS = 256


class MaskHead(nn.Layer):
    """Convolutions, a doubling of the resolution, and a map of logits for each class.

    Args:
        in_channels: Of the features.
        num_convs: 3x3 convolutions before the doubling.
        num_classes: K.
    """

    def __init__(self, in_channels: int, num_convs: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.head = _Upsampling(in_channels, num_convs)
        self.mask_fcn_logits = nn.Conv2D(
            _CHANNELS, num_classes, 1, **_initial(sqrt(2 / num_classes))
        )

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits (R, M, M) of the given labels (R,) for features (R, C, s, s)."""
        logits = self.mask_fcn_logits(self.head(features))  # (R, K, M, M)
        rows = paddle.arange(paddle.shape(labels)[0], dtype="int64") * self.num_classes + labels
        return paddle.gather(logits.flatten(0, 1), rows)


class _Upsampling(nn.Layer):
    def __init__(self, in_channels: int, num_convs: int) -> None:
        super().__init__()
        layers: list[tuple[str, nn.Layer]] = []
        for number in range(1, num_convs + 1):
            conv = nn.Conv2D(
                in_channels if number == 1 else _CHANNELS,
                _CHANNELS,
                3,
                padding=1,
                **_initial(sqrt(2 / (9 * _CHANNELS))),
            )
            layers += [(f"mask_inter_feat_{number}", conv), (f"relu_{number}", nn.ReLU())]
        doubling = nn.Conv2DTranspose(
            in_channels if num_convs == 0 else _CHANNELS,
            _CHANNELS,
            2,
            stride=2,
            **_initial(sqrt(2 / (4 * _CHANNELS))),
        )
        self.upsample = nn.Sequential(*layers, ("conv5_mask", doubling))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (R, C, s, s) to (R, 256, M, M)."""
        return F.relu(self.upsample(features))


def _initial(deviation: float) -> dict[str, nn.initializer.Initializer]:
    return {
        "weight_attr": nn.initializer.Normal(0.0, deviation),
        "bias_attr": nn.initializer.Constant(0.0),
    }
