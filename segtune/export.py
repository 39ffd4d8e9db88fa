"""Use case: a network becomes a bundle, which is then compared with it on real pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.static import InputSpec

from segtune import masks as mask_forms
from segtune.agreement import (
    AFTER_MASK_BOXES,
    MAX_BOX_PX,
    STRICT,
    Band,
    Limits,
    compare,
    merge,
    worst_of,
)
from segtune.agreement import AgreementReport as AgreementReport
from segtune.bundle import (
    ONNX_GRAPH,
    PADDLEX_GRAPH,
    RAW_GRAPH,
    WEIGHTS,
    BundleInfo,
    installed_versions,
    write_info,
)
from segtune.devices import Device
from segtune.errors import ExportError, OutputError
from segtune.files import atomic_folder
from segtune.images import read_image
from segtune.instances import Instances
from segtune.models.conv_norm import fused_copy
from segtune.models.segmenter import InstanceSegmenter
from segtune.models.upstream_form import UpstreamForm
from segtune.outputs import MaskFrame
from segtune.postprocess import MASK_THRESHOLD, instances_of, split_rows
from segtune.predictor import Backend, Predictor
from segtune.preprocess import PreprocessSpec
from segtune.progress import Reporter, SilentReporter
from segtune.runtime import onnx_conversion
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.runtime.paddle_inference import Graph, PaddleInferenceBackend

VERGE = 1e-4  # probabilities this near to the threshold may fall to either side
# A mask inside a box moves with it: where the map has two cells a pixel of the box, the share that
# a box may be off, a hundredth of a pixel, changes probabilities by up to this much.
BOX_VERGE = 2 * MAX_BOX_PX
COMPARED_SIDE_PX = 480  # PaddleX's form holds all masks at once, 1.2 GB for 300 of 1000 x 1000


def as_upstream(network: InstanceSegmenter) -> UpstreamForm:
    """Return the layer `(image, im_shape, scale_factor) -> bbox, bbox_num, mask` of PaddleX."""
    return UpstreamForm(network)


def export_network(
    network: InstanceSegmenter,
    info: BundleInfo,
    output: Path,
    *,
    images: Sequence[Path],
    device: Device,
    onnx: bool = False,
    reporter: Reporter | None = None,
) -> AgreementReport:
    """Write a bundle, compare all its graphs with the network, and return the differences.

    Args:
        network: With the weights to export; it is left as it is.
        info: What the network belongs to.
        output: The bundle folder to make.
        images: Pictures to compare on; the more instances they show, the better.
        device: Where to compare; a CPU compares with oneDNN and without.
        onnx: Whether to add the raw graph in ONNX's form, which is compared on the CPU.
        reporter: Told about every picture, and when none showed anything to compare.

    Raises:
        ExportError: There is no picture, the network cannot be converted to ONNX, or the bundle
            does not agree with the network. Nothing is left at `output`.
        DependencyError: What ONNX needs is not installed.
        OutputError: `output` exists or cannot be written.
        ImageError: A picture cannot be read.
    """
    if not images:
        raise ExportError(
            "there is no picture to compare the bundle with the checkpoint on",
            where="--images",
            remedy="name pictures like those that the model is for",
        )
    if onnx:
        onnx_conversion.check_packages()
    info = replace(
        info,
        mask_frame=network.mask_frame,
        architecture=network.architecture,
        versions=installed_versions(),
    )
    reporter = reporter or SilentReporter()
    with atomic_folder(output) as folder:
        trace(network, info.preprocess, folder)
        if onnx:
            onnx_conversion.convert(folder)
        write_info(folder, info)
        report = _compare_bundle(network, info, folder, images, device, reporter)
        if not report.is_within(limits_of(network)):
            raise ExportError(
                f"the bundle does not agree with the checkpoint: {report}",
                where=str(output),
                remedy="report this with the checkpoint and the output of `segtune doctor`",
            )
    if report.instances == 0:
        reporter.say("nothing was found on any picture, so no box and no mask was compared")
    return report


def limits_of(network: InstanceSegmenter) -> Limits:
    """Return how far a bundle's graphs may be from the network."""
    return AFTER_MASK_BOXES if network.mask_frame is MaskFrame.INPUT_UNCUT else STRICT


class RawForm(nn.Layer):
    """A network as it is, in the form that is traced into a bundle's raw graph."""

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    @paddle.jit.not_to_static  # traced as it runs: Paddle's rewriting knows no `zip(strict=True)`
    def forward(self, image: Tensor, im_shape: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return `Outputs` of network inputs (N, 3, h, w) with images of `im_shape` (N, 2)."""
        return tuple(self.network(image, im_shape))


def trace(network: InstanceSegmenter, spec: PreprocessSpec, folder: Path) -> None:
    """Write both graphs of a bundle, for any batch size, and the weights that they share.

    Raises:
        ExportError: The graphs do not hold the same weights.
        OutputError: The disk took only a part of the weights.
    """
    fused = fused_copy(network)
    input_hw = (None, None) if spec.keep_ratio else spec.size_hw
    image = InputSpec([None, 3, *input_hw], "float32", "image")
    im_shape, scale_factor = (
        InputSpec([None, 2], "float32", name) for name in ("im_shape", "scale_factor")
    )
    # The others' images fill their inputs, so that their graphs need not be told.
    raw_inputs = [image, im_shape] if network.mask_frame is MaskFrame.BOX else [image]
    weights = folder / WEIGHTS
    for form, inputs, graph in (
        (UpstreamForm(fused), [image, im_shape, scale_factor], folder / PADDLEX_GRAPH),
        (RawForm(fused), raw_inputs, folder / RAW_GRAPH),
    ):
        form.eval()
        traced = paddle.jit.to_static(form, input_spec=inputs, full_graph=True)
        paddle.jit.save(traced, str(graph.with_suffix("")))
        _check_whole(graph.with_suffix(weights.suffix), fused)
    raw_weights = (folder / RAW_GRAPH).with_suffix(weights.suffix)
    if raw_weights.read_bytes() != weights.read_bytes():
        raise ExportError(
            "the two graphs of the bundle hold different weights",
            where=str(folder),
            remedy="use the Paddle version of segtune's constraints, and report this",
        )
    raw_weights.unlink()


def _check_whole(weights: Path, network: InstanceSegmenter) -> None:
    """Refuse a weights file that was cut off: Paddle says nothing when the disk is full."""
    expected = sum(
        4 * parameter.size  # float32
        for name, parameter in network.named_parameters()
        if name not in network.only_for_training
    )
    found = weights.stat().st_size if weights.exists() else 0
    if found < expected:
        raise OutputError(
            f"only {found} bytes of the bundle's weights could be written, at least {expected} "
            "are needed",
            where=str(weights.parent.parent),
            remedy="check free space and quotas, or choose another place",
        )


class _Engine(Protocol):
    """What predicts one picture."""

    def __call__(self, image: NDArray[np.uint8]) -> Instances:
        """Return the instances of an RGB image (H, W, 3)."""
        ...  # pragma: no cover


def _compare_bundle(
    network: InstanceSegmenter,
    info: BundleInfo,
    folder: Path,
    images: Sequence[Path],
    device: Device,
    reporter: Reporter,
) -> AgreementReport:
    """Return the worst differences between the network and every way to run its bundle."""
    backend = DygraphBackend(network, device)
    engines = list(_bundle_engines(info, folder, device))
    reports = []
    with reporter.task("compare bundle and checkpoint", len(images)) as task:
        for path in images:
            image = _shrink(read_image(path))
            expected, band = _expect(info, backend, image)
            reports.append(worst_of([compare(expected, run(image), band) for run in engines]))
            task.advance()
    return merge(_judged(reports, limits_of(network), reporter))


def _judged(
    reports: list[AgreementReport], limits: Limits, reporter: Reporter
) -> list[AgreementReport]:
    """Return the reports of the pictures that count: without those that rounding has turned.

    Where boxes are taken around masks, a pixel whose logit is as near to zero as numbers drift
    moves a box by a cell, and no limit holds for such a picture. It is set aside while most
    pictures agree; a graph that is wrong differs on all of them (docs/decisions/0007).
    """
    within = [report for report in reports if report.is_within(limits)]
    num_turned = len(reports) - len(within)
    if limits == STRICT or num_turned == 0 or 2 * num_turned >= len(reports):
        return reports
    reporter.say(
        f"{num_turned} of {len(reports)} pictures are not compared: there, rounding turns a pixel "
        "of a mask that a box is taken around"
    )
    return within


def _expect(
    info: BundleInfo, backend: DygraphBackend, image: NDArray[np.uint8]
) -> tuple[Instances, Band]:
    """Return what the network finds on a picture, and how sure it is of the masks' edges."""
    array, geometry = info.preprocess.apply(image)
    sizes_hw = np.asarray([geometry.resized_hw], np.float32)
    [rows] = split_rows(backend.run(array[None], sizes_hw))
    verge = BOX_VERGE if info.mask_frame is MaskFrame.BOX else VERGE
    found, smaller, larger = (
        instances_of(rows, geometry, mask_frame=info.mask_frame, mask_threshold=limit)
        for limit in (MASK_THRESHOLD, MASK_THRESHOLD + verge, MASK_THRESHOLD - verge)
    )
    return found, Band(smaller, larger)


def _bundle_engines(info: BundleInfo, folder: Path, device: Device) -> Iterator[_Engine]:
    for onednn in (True, False) if device.kind == "cpu" else (False,):
        yield _predict_with(info, PaddleInferenceBackend(folder, device, onednn=onednn))
        graph = Graph(folder / PADDLEX_GRAPH, folder / WEIGHTS, device, onednn=onednn)
        yield _predict_as_paddlex(info, graph)
    if (folder / ONNX_GRAPH).is_file():
        yield _predict_with(info, OnnxBackend(folder))


def _predict_with(info: BundleInfo, backend: Backend) -> _Engine:
    predictor = Predictor(
        backend, info.preprocess, info.categories, info.mask_frame, info.model_name
    )
    return lambda image: next(predictor.predict([image], threshold=0.0))


def _predict_as_paddlex(info: BundleInfo, graph: Graph) -> _Engine:
    """Return what PaddleX does with the graph, up to its choice by score."""

    def predict(image: NDArray[np.uint8]) -> Instances:
        array, geometry = info.preprocess.apply(image)
        bbox, _, bitmaps = graph.run(
            {
                "image": array[None],
                "im_shape": np.asarray([geometry.resized_hw], np.float32),
                "scale_factor": np.asarray([geometry.scale_hw], np.float32),
            }
        )
        height, width = geometry.original_hw
        instances = Instances(
            bbox[:, 2:].clip(0, [width, height, width, height]).astype(np.float32),
            bbox[:, 1],
            bbox[:, 0].astype(np.int64),
            mask_forms.encode_all(bitmaps > 0),
            geometry.original_hw,
        )
        return instances.select(np.argsort(-instances.scores, kind="stable"))

    return predict


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with no side above COMPARED_SIDE_PX."""
    height, width = image.shape[:2]
    factor = COMPARED_SIDE_PX / max(height, width)
    if factor >= 1:
        return image
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
