"""A bundle, opened by the runtime that is asked for."""

from __future__ import annotations

from pathlib import Path

from segtune.devices import Device
from segtune.errors import DeviceError
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.runtime.openvino_runtime import OpenVinoBackend
from segtune.runtime.paddle_inference import PaddleInferenceBackend
from segtune.runtime_names import Precision, Runtime, check_pair

BundleBackend = PaddleInferenceBackend | OnnxBackend | OpenVinoBackend


def open_bundle(
    folder: Path,
    device: Device,
    *,
    runtime: Runtime,
    precision: Precision = "fp32",
    threads: int | None = None,
) -> BundleBackend:
    """Return what runs the network of a bundle.

    Args:
        folder: The bundle.
        device: Where to compute; all but Paddle compute on the CPU only.
        runtime: What runs it.
        precision: In which to compute, one that the runtime knows.
        threads: CPU threads; default: OMP_NUM_THREADS, else every usable core.

    Raises:
        SegtuneError: The runtime is not installed or does not compute there or so, or the bundle
            has no graph for it, or one that it cannot load.
    """
    check_pair(runtime, precision)
    if runtime == "paddle":
        return PaddleInferenceBackend(folder, device, threads=threads)
    if device.kind != "cpu":
        raise DeviceError(
            f"the runtime {runtime} computes on the CPU only, not on {device}",
            where=str(device),
            remedy="leave the device out, or the runtime",
        )
    if runtime == "onnx":
        return OnnxBackend(folder, threads)
    return OpenVinoBackend(folder, threads, precision)
