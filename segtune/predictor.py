"""Images become instances, over any engine that runs the network.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from segtune.categories import Categories
from segtune.instances import Instances
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.preprocess import Geometry, PreprocessSpec

_Prepared = tuple[NDArray[np.float32], Geometry]


class Backend(Protocol):
    """An engine that runs one network."""

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs, as arrays, of network inputs (N, 3, h, w).

        Args:
            images: Network inputs.
            sizes_hw: Height and width (N, 2) of each image on its input, without padding.
        """
        ...  # pragma: no cover


class InstancePredictor(Protocol):
    """What turns RGB images into instances, on one device or on several."""

    @property
    def categories(self) -> Categories:
        """The classes, by label."""

    @property
    def model_name(self) -> str:
        """A name of the zoo."""

    def predict(
        self, images: Iterable[NDArray[np.uint8]], *, threshold: float, batch_size: int
    ) -> Iterator[Instances]:
        """Yield the instances of each RGB image (H, W, 3), in order, as `Predictor` does."""
        ...  # pragma: no cover


@dataclass(frozen=True)
class Predictor:
    """A network with all that turns an RGB image into instances: one home for every caller."""

    backend: Backend
    preprocess: PreprocessSpec
    categories: Categories
    mask_frame: MaskFrame
    model_name: str

    def predict(
        self, images: Iterable[NDArray[np.uint8]], *, threshold: float = 0.5, batch_size: int = 1
    ) -> Iterator[Instances]:
        """Yield the instances of each RGB image (H, W, 3), in order, by descending score.

        Images are drawn from `images` one batch at a time. Images whose network inputs differ in
        size do not share a batch.

        Args:
            images: Of any sizes.
            threshold: Scores must be above this.
            batch_size: How many images may go through the network together, at least 1.
        """
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} images holds none")
        prepared = (self.preprocess.apply(image) for image in images)
        for batch in _batches(prepared, batch_size):
            yield from self._predict_batch(batch, threshold)

    def _predict_batch(self, batch: list[_Prepared], threshold: float) -> Iterator[Instances]:
        sizes_hw = np.asarray([geometry.resized_hw for _, geometry in batch], np.float32)
        outputs = self.backend.run(np.stack([array for array, _ in batch]), sizes_hw)
        with _numpy_blas().limit(limits=1):
            found = [
                instances_of(rows, geometry, mask_frame=self.mask_frame, threshold=threshold)
                for rows, (_, geometry) in zip(split_rows(outputs), batch, strict=True)
            ]
        yield from found


@cache
def _numpy_blas() -> ThreadpoolController:
    """Return control of the threads of NumPy's OpenBLAS.

    The products of post-processing are small. On two threads they compete with Paddle's, which
    spin for a while after the network has run, and take up to six times as long.
    """
    return ThreadpoolController().select(internal_api="openblas")


def _batches(prepared: Iterable[_Prepared], batch_size: int) -> Iterator[list[_Prepared]]:
    """Group neighbours of equal array shape, up to `batch_size` of them."""
    batch: list[_Prepared] = []
    for array, geometry in prepared:
        if batch and batch[0][0].shape != array.shape:
            yield batch
            batch = []
        batch.append((array, geometry))
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch
