"""What a user may name as a model, opened: run, checkpoint, bundle, registered version, zoo."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtune import processor
from segtune.bundle import BundleInfo, is_bundle, read_info
from segtune.coco_classes import COCO_CATEGORIES
from segtune.devices import Device, open_device
from segtune.errors import BundleError, CheckpointError, WeightsError
from segtune.pipeline_config import (
    DEFAULT_MODEL,
    PipelineSchema,
    is_pipeline_config,
    pipeline_yaml,
    read_pipeline_config,
)
from segtune.predictor import Backend, Predictor
from segtune.progress import Reporter, SilentReporter
from segtune.registry import is_model_uri, resolve_uri
from segtune.runtime.opening import open_bundle
from segtune.runtime_names import Precision, Runtime, check_pair
from segtune.training.checkpoint import is_checkpoint
from segtune.training.checkpoint import read_info as read_checkpoint_info
from segtune.training.run_folder import RunFolder, is_run_folder
from segtune.zoo import MODELS, ModelSpec, build_model

if TYPE_CHECKING:
    from segtune.export import AgreementReport

KINDS = (
    "a run folder, a checkpoint, an exported bundle, a pipeline YAML, models:/NAME@ALIAS, or a "
    "name of `segtune models` for published weights"
)
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
    near = difflib.get_close_matches(reference, [spec.name for spec in MODELS], n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise CheckpointError(f"{reference} {what}", where=reference, remedy=f"{guess}give {KINDS}")


def published_model(reference: str) -> ModelSpec | None:
    """Return the row of the zoo whose published weights `reference` means, or None.

    A folder of that name that holds a model goes first.

    Raises:
        RecipeError: A pipeline config cannot be read.
    """
    if is_pipeline_config(reference):
        reference = read_pipeline_config(Path(reference)).model
    path = Path(reference)
    if is_checkpoint(path) or is_bundle(path) or is_run_folder(path):
        return None
    return next((spec for spec in MODELS if spec.name == reference), None)


def pipeline_config_of(
    reference: str | None = None,
    *,
    schema: PipelineSchema = "paddlex3",
    device: str | None = None,
    batch_size: int = 1,
    threshold: float | None = None,
) -> tuple[str, str | None]:
    """Return a pipeline YAML of a model, and what to know about it, if anything.

    Args:
        reference: The model; default: the one that PaddleX's own config names.
        schema: As `pipeline_yaml` takes it, and so the others.
        device: Where to compute.
        batch_size: Images per forward pass.
        threshold: Scores of instances are above it; default: the bundle's, or 0.5.

    Raises:
        SegtuneError: The model is not there.
    """
    reference = reference or DEFAULT_MODEL
    spec = published_model(reference)
    if spec is not None:
        text = pipeline_yaml(
            spec.name, schema=schema, device=device, batch_size=batch_size, threshold=threshold
        )
        return text, None
    path = resolve(reference)
    note = None
    if is_bundle(path):
        info = read_info(path)
        name = info.model_name
        if threshold is None and schema == "paddlex3":
            threshold = info.draw_threshold
    else:
        name = read_checkpoint_info(path).model_name
        note = f"{reference} is not exported: segtune can use this config, PaddleX cannot"
    if is_model_uri(reference):
        place = reference
        note = (
            f"the config names {reference}, which segtune looks up at every start; for PaddleX, "
            f"write one with: segtune registry config {reference}"
        )
    else:
        place = str((path if is_pipeline_config(reference) else Path(reference)).resolve())
    text = pipeline_yaml(
        place,
        model_name=name,
        schema=schema,
        device=device,
        batch_size=batch_size,
        threshold=threshold,
    )
    return text, note


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
        reference: A run folder, a checkpoint, a bundle, a pipeline YAML, `models:/name@alias`, or
            the zoo name of a model, whose published COCO weights are fetched once.
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
    device = device or CPU
    published = published_model(reference)
    if published is not None:
        return _predictor_of_published(published, device, threads, runtime)
    path = resolve(reference)
    if not is_bundle(path):
        _refuse_all_but_paddle(
            runtime,
            where=str(path),
            remedy="export it first, with `segtune export --onnx`",
        )
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


def _refuse_all_but_paddle(runtime: Runtime, *, where: str, remedy: str) -> None:
    """Raise BundleError if a runtime needs an exported network."""
    if runtime != "paddle":
        raise BundleError(f"the runtime {runtime} runs bundles only", where=where, remedy=remedy)


def _predictor_over(backend: Backend, info: BundleInfo) -> Predictor:
    return Predictor(
        backend=backend,
        preprocess=info.preprocess,
        categories=info.categories,
        mask_frame=info.mask_frame,
        model_name=info.model_name,
    )


def _predictor_of_published(
    spec: ModelSpec, device: Device, threads: int | None, runtime: Runtime
) -> Predictor:
    _refuse_all_but_paddle(
        runtime,
        where=f"the published weights of {spec.name}",
        remedy="leave the runtime out: Paddle runs them",
    )
    from segtune.weights import fetch_weights, load_weights

    processor.import_paddle_quietly(threads)
    open_device(device)  # rather than after a download
    try:
        weights = fetch_weights(spec)
    except WeightsError as error:
        raise WeightsError(
            error.problem,
            where=error.where,
            remedy=f"try again with a network, put {spec.weights_url} there yourself, or name a "
            "model of your own: a run, checkpoint or bundle folder, or models:/NAME@ALIAS",
        ) from error
    from segtune.runtime.dygraph import DygraphBackend

    network = build_model(spec.name, len(COCO_CATEGORIES))
    load_weights(network, weights, strict=True)
    return Predictor(
        backend=DygraphBackend(network, device),
        preprocess=spec.preprocess,
        categories=COCO_CATEGORIES,
        mask_frame=spec.mask_frame,
        model_name=spec.name,
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
