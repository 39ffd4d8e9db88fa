"""A bundle's ONNX graph, run by ONNX Runtime on the CPU. Nothing here needs Paddle.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from segtune.errors import BundleError, DependencyError
from segtune.outputs import Outputs
from segtune.processor import default_threads
from segtune.runtime.onnx_graph import EXPORT_AGAIN, BatchedGraph, find_onnx_graph

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
        graph = find_onnx_graph(bundle_folder)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or default_threads()
        try:
            session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own have no base of their own
            raise BundleError(
                f"ONNX Runtime cannot load the graph: {error}",
                where=str(graph),
                remedy=EXPORT_AGAIN,
            ) from error
        inputs = session.get_inputs()
        self._graph = BatchedGraph(
            lambda given: Outputs(*session.run(list(Outputs._fields), given)),
            [each.name for each in inputs],
            takes_one=any(each.shape[0] == 1 for each in inputs),
        )

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs of network inputs (N, 3, h, w), see `BatchedGraph.run`."""
        return self._graph.run(images, sizes_hw)


def import_onnxruntime() -> ModuleType:
    """Return the onnxruntime module. Raises DependencyError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError("ONNX Runtime is not installed", remedy=INSTALL_ONNX) from error
    return onnxruntime
