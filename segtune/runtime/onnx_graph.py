"""What runtimes of a bundle's ONNX graph share: where it lies, and batches that it may not take.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtune.bundle import ONNX_GRAPH
from segtune.errors import BundleError
from segtune.outputs import Outputs

EXPORT_AGAIN = "export the checkpoint again, with `segtune export --onnx`"

Inputs = dict[str, NDArray[np.float32]]


def find_onnx_graph(bundle_folder: Path) -> Path:
    """Return the ONNX graph of a bundle. Raises BundleError when it has none."""
    graph = bundle_folder / ONNX_GRAPH
    if not graph.is_file():
        raise BundleError(
            f"the bundle has no {ONNX_GRAPH}", where=str(bundle_folder), remedy=EXPORT_AGAIN
        )
    return graph


class BatchedGraph:
    """A loaded graph that takes any number of images, one after the other if it must.

    Args:
        compute: Inputs by name to the arrays of `Outputs`, which are the caller's to keep.
        input_names: Of the graph: `image`, perhaps `im_shape`.
        takes_one: Whether the graph is limited to one image.
    """

    def __init__(
        self,
        compute: Callable[[Inputs], Outputs],
        input_names: Sequence[str],
        *,
        takes_one: bool,
    ) -> None:
        self._compute = compute
        self._input_names = input_names
        self._takes_one = takes_one

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs, as arrays, of network inputs (N, 3, h, w).

        The images on them are of `sizes_hw` (N, 2), the rest is padding.
        """
        if not self._takes_one:
            return self._run_batch(images, sizes_hw)
        rows = [slice(row, row + 1) for row in range(len(images))]
        parts = [self._run_batch(images[row], sizes_hw[row]) for row in rows]
        return Outputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _run_batch(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        given = {"image": images, "im_shape": sizes_hw}
        return self._compute(
            {name: np.ascontiguousarray(given[name], np.float32) for name in self._input_names}
        )
