"""A bundle's raw graph, run by Paddle's inference engine.

Shapes: N images, h x w network input.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.bundle import RAW_GRAPH, WEIGHTS
from segtune.devices import Device, open_device
from segtune.errors import BundleError
from segtune.outputs import Outputs
from segtune.processor import default_threads, import_paddle_quietly

GPU_MEMORY_MB = 500  # taken at the start; the pool grows as it needs to
PLUGIN_KINDS = ("npu", "mlu", "gcu")  # run by PaddleCustomDevice


class PaddleInferenceBackend:
    """Runs the raw graph of a bundle.

    Args:
        bundle_folder: A folder that `segtune export` has written.
        device: Where to compute.
        threads: CPU threads; default: OMP_NUM_THREADS, else every usable core.
        onednn: Whether a CPU runs oneDNN's operators, several times as fast as Paddle's own.

    Raises:
        DeviceError: The device is not there.
        BundleError: Paddle cannot load the graph or its weights.
    """

    def __init__(
        self,
        bundle_folder: Path,
        device: Device,
        *,
        threads: int | None = None,
        onednn: bool = True,
    ) -> None:
        self._graph = Graph(
            bundle_folder / RAW_GRAPH,
            bundle_folder / WEIGHTS,
            device,
            threads=threads,
            onednn=onednn,
        )

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        """Return the raw outputs, as arrays, of network inputs (N, 3, h, w).

        The images on them are of `sizes_hw` (N, 2), the rest is padding.
        """
        inputs = {"image": images, "im_shape": sizes_hw}
        return Outputs(*self._graph.run({name: inputs[name] for name in self._graph.input_names}))


class Graph:
    """An exported graph with its weights, ready to run.

    Attributes:
        input_names: Of what `run` wants.
    """

    def __init__(
        self,
        graph: Path,
        weights: Path,
        device: Device,
        *,
        threads: int | None = None,
        onednn: bool = True,
    ) -> None:
        paddle = import_paddle_quietly()
        self._set_threads = paddle.base.core.set_num_threads
        config = paddle.inference.Config(str(graph), str(weights))
        config.disable_glog_info()
        _choose_device(config, device, threads or default_threads(), onednn=onednn)
        try:
            self._predictor = paddle.inference.create_predictor(config)
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError(
                f"Paddle cannot load the graph: {_last_line(error)}",
                where=str(graph),
                remedy="export the checkpoint again, with this version of Paddle",
            ) from error
        self.input_names: list[str] = self._predictor.get_input_names()

    def run(self, inputs: dict[str, NDArray[np.float32]]) -> Sequence[NDArray[Any]]:
        """Return the graph's outputs, in its order, for inputs by name."""
        for name, array in inputs.items():
            handle = self._predictor.get_input_handle(name)
            handle.reshape(array.shape)
            handle.copy_from_cpu(np.ascontiguousarray(array, np.float32))
        self._predictor.run()
        # Paddle leaves the process with one thread for everything that comes after a run.
        self._set_threads(default_threads())
        names = self._predictor.get_output_names()
        return [self._predictor.get_output_handle(name).copy_to_cpu() for name in names]


def _choose_device(config: Any, device: Device, threads: int, *, onednn: bool) -> None:
    """Tell Paddle's inference config where to run. Raises DeviceError."""
    open_device(device)  # Paddle aborts the process over some devices that are not there
    if device.kind in ("gpu", "dcu"):  # Paddle runs AMD's DCU cards under the name gpu
        config.enable_use_gpu(GPU_MEMORY_MB, device.index)
    elif device.kind == "xpu":
        config.enable_xpu()
        config.set_xpu_device_id(device.index)
    elif device.kind in PLUGIN_KINDS:
        config.enable_custom_device(device.kind, device.index)
    else:
        config.disable_gpu()
        config.set_cpu_math_library_num_threads(threads)
        if onednn:
            config.enable_mkldnn()
        else:
            config.disable_mkldnn()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
