"""A bundle's ONNX graph, run by ONNX Runtime on the CPU. Nothing here needs Paddle.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from segtune.bundle import ONNX_GRAPH
from segtune.errors import BundleError, DependencyError
from segtune.outputs import Outputs
from segtune.processor import default_threads

INSTALL_ONNX = "pip install 'segtune[onnx]'"
_ERRORS_ONLY = 3  # ONNX Runtime warns about every constant that it folds away


class OnnxBackend:
    """Runs the ONNX graph of a bundle.

    Args:
        bundle_folder: A folder that `segtune export --onnx` has written.
        threads: CPU threads; default: OMP_NUM_THREADS, else every usable core.

    Raises:
        DependencyError: ONNX Runtime is not installed.
        BundleError: The bundle has no ONNX graph, or ONNX Runtime cannot load it.
    """

    def __init__(self, bundle_folder: Path, threads: int | None = None) -> None:
        onnxruntime = import_onnxruntime()
        graph = bundle_folder / ONNX_GRAPH
        if not graph.is_file():
            raise BundleError(
                f"the bundle has no {ONNX_GRAPH}",
                where=str(bundle_folder),
                remedy="export the checkpoint again, with `segtune export --onnx`",
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or default_threads()
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own have no base of their own
            raise BundleError(
                f"ONNX Runtime cannot load the graph: {error}",
                where=str(graph),
                remedy="export the checkpoint again, with `segtune export --onnx`",
            ) from error
        inputs = self._session.get_inputs()
        self._input_names = [given.name for given in inputs]
        self._takes_one = any(given.shape[0] == 1 for given in inputs)

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
        inputs = {name: np.ascontiguousarray(given[name], np.float32) for name in self._input_names}
        return Outputs(*self._session.run(list(Outputs._fields), inputs))


def import_onnxruntime() -> ModuleType:
    """Return the onnxruntime module. Raises DependencyError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError("ONNX Runtime is not installed", remedy=INSTALL_ONNX) from error
    return onnxruntime
