"""A bundle of the wanted input size, and what its network returns for photographs, in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune import processor
from segtune.bundle import BundleInfo, is_bundle, read_info, write_info
from segtune.devices import Device
from segtune.images import read_image
from segtune.outputs import Outputs
from segtune.predictor import Backend
from segtune.preprocess import Geometry, PreprocessSpec
from segtune.sources import resolve

CPU = Device("cpu")
LARGE_HW = (3000, 4000)


class Prepared(NamedTuple):
    """What the first process leaves for the others, by name."""

    bundle: str
    checkpoint: str | None  # None where a bundle was given
    images: list[str]
    outputs: list[str]  # of the network, one file an image
    large_outputs: str  # those of the enlarged image


def prepare(reference: str, images: Sequence[Path], size: int, work: Path) -> Prepared:
    """Trace the model at `size`, and keep what its network returns for every image."""
    from segtune.runtime.paddle_inference import PaddleInferenceBackend

    path = resolve(reference)
    bundle = path if is_bundle(path) else _trace(path, size, work / "bundle")
    spec = read_info(bundle).preprocess
    if spec.size_hw != (size, size):
        raise SystemExit(f"{bundle} has inputs of {spec.size_hw}: give its run or checkpoint")
    backend = PaddleInferenceBackend(bundle, CPU)
    outputs = [str(work / f"{index}.npz") for index in range(len(images))]
    numbers_shown = [
        _keep_outputs(backend, spec, read_image(image), file)
        for image, file in zip(images, outputs, strict=True)
    ]
    richest = read_image(images[int(np.argmax(numbers_shown))])
    enlarged = cv2.resize(richest, LARGE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    large = str(work / "large.npz")
    _keep_outputs(backend, spec, np.asarray(enlarged, np.uint8), large)
    checkpoint = None if is_bundle(path) else str(path)
    return Prepared(str(bundle), checkpoint, [str(image) for image in images], outputs, large)


def _trace(checkpoint: Path, size: int, bundle: Path) -> Path:
    """Write a bundle of the checkpoint for square inputs of `size` pixels a side."""
    processor.import_paddle_quietly()
    from segtune.export import trace
    from segtune.training.checkpoint import load_network

    network, info = load_network(checkpoint)
    spec = replace(info.preprocess, size_hw=(size, size))
    bundle.mkdir()
    trace(network, spec, bundle)
    write_info(bundle, BundleInfo.of_checkpoint(replace(info, preprocess=spec)))
    return bundle


def _keep_outputs(
    backend: Backend, spec: PreprocessSpec, image: NDArray[np.uint8], file: str
) -> int:
    """Write the network's outputs and the geometry; return how many rows are above 0.5."""
    array, geometry = spec.apply(image)
    outputs = backend.run(array[None], np.asarray([geometry.resized_hw], np.float32))
    np.savez(file, geometry=np.asarray(astuple(geometry)), **outputs._asdict())
    return int((outputs.scores > 0.5).sum())


def load_outputs(file: str) -> tuple[Outputs, Geometry]:
    """Return the network's outputs for one image, and how the image was laid on its input."""
    with np.load(file) as arrays:
        sizes = arrays["geometry"].tolist()
        outputs = Outputs(*(arrays[name] for name in Outputs._fields))
    return outputs, Geometry(*(tuple(size) for size in sizes))
