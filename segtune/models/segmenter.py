"""What training and prediction may ask of every network.

Shapes: N images, G instances of the fullest image, h x w network input, s mask stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from paddle import Tensor, nn

from segtune.outputs import MaskFrame, Outputs


@dataclass(frozen=True)
class Targets:
    """The labelled instances of a batch; rows of an image past its last instance are padding."""

    boxes: Tensor  # (N, G, 4) float32, xyxy in pixels of the network input
    labels: Tensor  # (N, G) int64, 0..K-1
    masks: Tensor  # (N, G, h/s, w/s) uint8, every s-th pixel from the first one on
    valid: Tensor  # (N, G) bool, false where a row is padding
    sizes_hw: Tensor  # (N, 2) float32, of the images on the network input, without padding


class InstanceSegmenter(nn.Layer):
    """A network that finds instances and can learn from labelled ones.

    An image takes the upper left of the network input; a family that needs to know how much of it
    reads `sizes_hw`. Families whose images are stretched over the whole input ignore it.

    Attributes:
        size_divisor: Height and width of an input are multiples of this.
        mask_stride: Pixels of the input that one cell of `Targets.masks` stands for.
        mask_frame: What a row of mask logits covers.
        architecture: PaddleDetection's name of the family, which a bundle states.
        only_for_training: Parameters that no prediction needs, so that no bundle has them.
        regions_per_image: Of an image, as many regions are sampled to learn from; None where a
            family samples none.
    """

    size_divisor: int
    mask_stride: ClassVar[int]
    mask_frame: ClassVar[MaskFrame]
    architecture: ClassVar[str]
    only_for_training: ClassVar[frozenset[str]] = frozenset()
    regions_per_image: int | None = None

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Return 0-D losses of images (N, 3, h, w) by name; `loss` is the one to minimise."""
        raise NotImplementedError

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        """Find the instances on images (N, 3, h, w).

        Args:
            images: Network input.
            sizes_hw: Height and width (N, 2) of each image on it, without padding. None: every
                image fills its input.
        """
        raise NotImplementedError
