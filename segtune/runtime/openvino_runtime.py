"""A bundle's graph, run by OpenVINO on the CPU. Nothing here needs Paddle.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.errors import BundleError, DependencyError, DeviceError
from segtune.outputs import Outputs
from segtune.processor import cpu_name, default_threads
from segtune.runtime.onnx_graph import EXPORT_AGAIN, BatchedGraph, Inputs, find_onnx_graph
from segtune.runtime_names import Precision

INSTALL_OPENVINO = "pip install 'segtune[openvino]'"
_TELEMETRY = "openvino_telemetry"


class OpenVinoBackend:
    """Runs a graph of a bundle at a precision.

    Args:
        bundle_folder: A folder that `segtune export` has written with an ONNX graph.
        threads: CPU threads; default: OMP_NUM_THREADS, else every usable core.
        precision: `bf16` computes in bfloat16 what OpenVINO can, on processors that have it.

    Raises:
        DependencyError: OpenVINO is not installed.
        BundleError: The bundle has no graph for it, or OpenVINO cannot load it.
        DeviceError: The processor does not compute in bfloat16.
    """

    def __init__(
        self, bundle_folder: Path, threads: int | None = None, precision: Precision = "fp32"
    ) -> None:
        openvino = import_openvino()
        graph = find_onnx_graph(bundle_folder)
        core = openvino.Core()
        if precision == "bf16":
            _check_bfloat16(core)
        settings = {
            # Left to itself, OpenVINO computes in bfloat16 wherever the processor can.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads or default_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(
                f"OpenVINO cannot load the graph: {_last_line(error)}",
                where=str(graph),
                remedy=EXPORT_AGAIN,
            ) from error
        outputs = [model.output(name) for name in Outputs._fields]

        def compute(given: Inputs) -> Outputs:
            found = model(given)
            # Copies: the next run writes into the same memory.
            return Outputs(*(np.array(found[output]) for output in outputs))

        self._graph = BatchedGraph(
            compute,
            [each.any_name for each in model.inputs],
            takes_one=any(_is_one(each.partial_shape[0]) for each in model.inputs),
        )

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs of network inputs (N, 3, h, w), see `BatchedGraph.run`."""
        return self._graph.run(images, sizes_hw)


def import_openvino() -> ModuleType:
    """Return the openvino module, which then reports to nobody that it is used.

    Raises:
        DependencyError: OpenVINO is not installed.
    """
    try:
        with _without_telemetry():
            import openvino
    except ImportError as error:
        raise DependencyError("OpenVINO is not installed", remedy=INSTALL_OPENVINO) from error
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide the package through which OpenVINO tells its makers, over the network, of each import.

    OpenVINO has a stand-in for where it is absent. A program that imported it before keeps it.
    """
    if _TELEMETRY in sys.modules:
        yield
        return
    hidden: dict[str, Any] = {_TELEMETRY: None}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]


def _check_bfloat16(core: Any) -> None:
    """Raise DeviceError if the processor has no instructions for bfloat16."""
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise DeviceError(
            f"this processor, {cpu_name()}, does not compute in bfloat16",
            where="--precision bf16",
            remedy="use --precision fp32, or a processor with AVX512_BF16 or AMX",
        )


def _is_one(dimension: Any) -> bool:
    return bool(dimension.is_static and dimension.get_length() == 1)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
