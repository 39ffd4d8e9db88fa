"""What a user may name as a model, opened: run, checkpoint, bundle, registered version, config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtune import processor
from segtune.bundle import BundleInfo, is_bundle, read_info
from segtune.devices import Device
from segtune.errors import BundleError, CheckpointError
from segtune.pipeline_config import is_pipeline_config, read_pipeline_config
from segtune.predictor import Backend, Predictor
from segtune.progress import Reporter, SilentReporter
from segtune.registry import is_model_uri, resolve_uri
from segtune.runtime.opening import open_bundle
from segtune.runtime_names import Precision, Runtime, check_pair
from segtune.training.checkpoint import is_checkpoint
from segtune.training.run_folder import RunFolder, is_run_folder

if TYPE_CHECKING:
    from segtune.export import AgreementReport

KINDS = "a run folder, a checkpoint, an exported bundle, a pipeline YAML, or models:/NAME@ALIAS"
CPU = Device("cpu")


def resolve(reference: str) -> Path:
    """Return the checkpoint or bundle folder that `reference` means; a run means its best one.

    Raises:
        RegistryError: A registered model, version or alias is not there.
        RecipeError: A pipeline config cannot be read.
        CheckpointError: The path, or what a pipeline config names, is none of the kinds.
    """
    if is_model_uri(reference):
        return resolve_uri(reference)
    path = Path(reference)
    if is_pipeline_config(reference):
        named = read_pipeline_config(path).model
        if Path(named).is_file():  # such as the config itself
            raise CheckpointError(
                f"the pipeline config names the file {named} as its model",
                where=str(path),
                remedy="name the folder of a bundle in it, or models:/NAME@ALIAS",
            )
        return resolve(named)
    if is_checkpoint(path) or is_bundle(path):
        return path
    if is_run_folder(path):
        best = RunFolder(path).best
        if best.is_dir():
            return best
        raise CheckpointError(
            f"run {path} has no evaluated checkpoint yet",
            where=str(best),
            remedy=f"let it train on: segtune train --resume {path}",
        )
    what = "holds no model" if path.exists() else "does not exist"
    raise CheckpointError(f"{reference} {what}", where=reference, remedy=f"give {KINDS}")


def open_predictor(
    reference: str,
    *,
    device: Device | None = None,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
) -> Predictor:
    """Open a model for prediction.

    Args:
        reference: A run folder, a checkpoint, a bundle, a pipeline YAML, or `models:/name@alias`.
        device: Where to compute; default: the CPU.
        threads: CPU threads; default: OMP_NUM_THREADS, else every usable core.
        runtime: What runs the network. `onnx` and `openvino` take bundles that were exported for
            them, run them on the CPU, and do not load Paddle.
        precision: In which the runtime computes.

    Raises:
        SegtuneError: The model is not there or damaged, the device is not there, or the runtime
            is not installed or cannot run the model.
    """
    check_pair(runtime, precision)
    path = resolve(reference)
    device = device or CPU
    if not is_bundle(path):
        _check_runs_checkpoints(runtime, path)
        processor.import_paddle_quietly(threads)
        return _predictor_of_checkpoint(path, device)
    info = read_info(path)
    if runtime == "paddle":
        processor.import_paddle_quietly(threads)
    backend = open_bundle(path, device, runtime=runtime, precision=precision, threads=threads)
    return _predictor_over(backend, info)


def export_reference(
    reference: str,
    output: Path,
    *,
    images: Sequence[Path],
    device: Device = CPU,
    onnx: bool = False,
    reporter: Reporter | None = None,
) -> AgreementReport:
    """Export a run's best checkpoint, or a checkpoint, and compare both on images.

    Args:
        reference: A run folder or a checkpoint.
        output: The bundle folder to make.
        images: Photographs to compare on; the more instances they show the better.
        device: Where to compute.
        onnx: Whether the bundle also gets an ONNX graph.
        reporter: Told about every image.

    Raises:
        CheckpointError: `reference` is neither.
        ExportError: The network cannot be converted to ONNX, or the bundle does not agree with
            the checkpoint; nothing is left at `output`.
        DependencyError: What ONNX needs is not installed.
        OutputError: `output` exists or cannot be written.
    """
    path = resolve(reference)
    if is_bundle(path):
        raise CheckpointError(
            f"{reference} is exported already", where=str(path), remedy="copy the folder"
        )
    processor.import_paddle_quietly()
    from segtune.export import export_network
    from segtune.training.checkpoint import load_network

    network, info = load_network(path)
    return export_network(
        network,
        BundleInfo.of_checkpoint(info),
        output,
        images=images,
        device=device,
        onnx=onnx,
        reporter=reporter or SilentReporter(),
    )


def _check_runs_checkpoints(runtime: Runtime, path: Path) -> None:
    """Raise BundleError if a runtime needs an exported network."""
    if runtime not in ("paddle", "auto"):
        raise BundleError(
            f"the runtime {runtime} runs bundles only",
            where=str(path),
            remedy=f"export it first, with `segtune export --format {runtime}`",
        )


def _predictor_over(backend: Backend, info: BundleInfo) -> Predictor:
    return Predictor(
        backend=backend,
        preprocess=info.preprocess,
        categories=info.categories,
        mask_frame=info.mask_frame,
        model_name=info.model_name,
    )


def _predictor_of_checkpoint(path: Path, device: Device) -> Predictor:
    from segtune.runtime.dygraph import DygraphBackend
    from segtune.training.checkpoint import load_network

    network, info = load_network(path)
    return Predictor(
        backend=DygraphBackend(network, device),
        preprocess=info.preprocess,
        categories=info.categories,
        mask_frame=network.mask_frame,
        model_name=info.model_name,
    )
