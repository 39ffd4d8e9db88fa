"""How an image becomes the array that a network reads, stated as data.

Shapes: H x W image, h x w network input.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

INTERPOLATION_CODES = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos": 4}  # OpenCV's


@dataclass(frozen=True)
class Geometry:
    """How one image was laid on the network input."""

    original_hw: tuple[int, int]  # of the image
    resized_hw: tuple[int, int]  # of the image on the input, before padding
    input_hw: tuple[int, int]  # of the network input, after padding

    @property
    def scale_hw(self) -> tuple[float, float]:
        """Resized size divided by original size."""
        return (
            self.resized_hw[0] / self.original_hw[0],
            self.resized_hw[1] / self.original_hw[1],
        )


@dataclass(frozen=True)
class PreprocessSpec:
    """Resize, normalise and pad. Training, evaluation, export and prediction share it.

    Attributes:
        size_hw: Exact input size, or with `keep_ratio` the target of the short and long side.
        keep_ratio: Scale both sides alike, as large as `size_hw` admits in either order.
        interpolation: A key of INTERPOLATION_CODES.
        mean: Per channel (R, G, B), of values in 0..1.
        std: Per channel (R, G, B), of values in 0..1.
        pad_stride: Zero-pad right and bottom to a multiple of this; 0 does not pad.
    """

    size_hw: tuple[int, int] = (640, 640)
    keep_ratio: bool = False
    interpolation: str = "cubic"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad_stride: int = 0

    def target_hw(self, original_hw: tuple[int, int]) -> tuple[int, int]:
        """Return the size to which an image of `original_hw` is resized.

        A half goes to the even number, as when PaddleX 3.7 runs a bundle; PaddleDetection, which
        trained the published weights, rounds it up.
        """
        if not self.keep_ratio:
            return self.size_hw
        scale = min(
            min(self.size_hw) / min(original_hw),
            max(self.size_hw) / max(original_hw),
        )
        return round(original_hw[0] * scale), round(original_hw[1] * scale)

    def resize(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize an RGB image (H, W, 3) to (h, w, 3), still uint8."""
        height, width = self.target_hw((image.shape[0], image.shape[1]))
        if image.shape[:2] == (height, width):
            return image
        code = INTERPOLATION_CODES[self.interpolation]
        return np.asarray(cv2.resize(image, (width, height), interpolation=code), np.uint8)

    def normalise(self, resized: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn a resized image (h, w, 3) into the network's array (3, h', w'), padded."""
        scale = np.asarray([1 / (255 * s) for s in self.std], np.float32)
        offset = np.asarray([-m / s for m, s in zip(self.mean, self.std, strict=True)], np.float32)
        height, width = resized.shape[:2]
        padded_height, padded_width = (self._padded(side) for side in (height, width))
        array = np.zeros((3, padded_height, padded_width), np.float32)
        np.multiply(resized.transpose(2, 0, 1), scale[:, None, None], out=array[:, :height, :width])
        if any(self.mean):
            array[:, :height, :width] += offset[:, None, None]
        return array

    def apply(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Geometry]:
        """Return the network's array (3, h, w) for an RGB image (H, W, 3), and its geometry."""
        resized = self.resize(image)
        array = self.normalise(resized)
        geometry = Geometry(
            (image.shape[0], image.shape[1]),
            (resized.shape[0], resized.shape[1]),
            (array.shape[1], array.shape[2]),
        )
        return array, geometry

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> PreprocessSpec:
        """Read what `to_json` wrote, also after a trip through a file."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(**values)

    def to_paddlex(self) -> list[dict[str, Any]]:
        """Return the `Preprocess` list of PaddleX's inference.yml."""
        plain = not any(self.mean) and set(self.std) == {1.0}
        operators: list[dict[str, Any]] = [
            {
                "type": "Resize",
                "interp": INTERPOLATION_CODES[self.interpolation],
                "keep_ratio": self.keep_ratio,
                "target_size": list(self.size_hw),
            },
            {
                "type": "NormalizeImage",
                "is_scale": True,
                "mean": list(self.mean),
                "std": list(self.std),
                "norm_type": "none" if plain else "mean_std",
            },
            {"type": "Permute"},
        ]
        if self.pad_stride:
            operators.append({"type": "PadStride", "stride": self.pad_stride})
        return operators

    def _padded(self, side: int) -> int:
        return side if not self.pad_stride else -(-side // self.pad_stride) * self.pad_stride
