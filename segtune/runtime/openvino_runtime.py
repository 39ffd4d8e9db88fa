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

from segtune.bundle import ONNX_GRAPH
from segtune.errors import BundleError, DependencyError, DeviceError
from segtune.outputs import Outputs
from segtune.processor import cpu_name, default_threads
from segtune.runtime_names import Precision

INSTALL_OPENVINO = "pip install 'segtune[openvino]'"
EXPORT_AGAIN = "export the checkpoint again, with `segtune export --onnx`"
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
        graph = bundle_folder / ONNX_GRAPH
        if not graph.is_file():
            raise BundleError(
                f"the bundle has no {ONNX_GRAPH}", where=str(bundle_folder), remedy=EXPORT_AGAIN
            )
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
            self._model = core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(
                f"OpenVINO cannot load the graph: {_last_line(error)}",
                where=str(graph),
                remedy=EXPORT_AGAIN,
            ) from error
        self._input_names = [given.any_name for given in self._model.inputs]
        self._outputs = [self._model.output(name) for name in Outputs._fields]
        self._takes_one = any(_is_one(given.partial_shape[0]) for given in self._model.inputs)

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
        found = self._model(inputs)
        # Copies: the next run writes into the same memory.
        return Outputs(*(np.array(found[output]) for output in self._outputs))


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
