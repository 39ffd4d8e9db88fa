"""Bundles of networks with random weights, and a threshold that leaves few of their many rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtune import processor
from segtune.bundle import BundleInfo, installed_versions, write_info
from segtune.images import read_image
from segtune.predictor import Predictor
from segtune.zoo import build_model, find_spec


def write_random_bundle(name: str, folder: Path, *, onnx: bool = False) -> None:
    """Write the bundle of a model with the weights that PaddleX is tested with, or in ONNX too."""
    processor.import_paddle_quietly()
    from segtune.export import trace
    from segtune.runtime.onnx_conversion import convert
    from tests.parity.stored import give_stored_weights
    from tests.peers.test_paddlex import CATEGORIES, GAINS

    spec, network = find_spec(name), build_model(name, len(CATEGORIES))
    give_stored_weights(network, GAINS[spec.family])
    network.eval()
    folder.mkdir()
    trace(network, spec.preprocess, folder)
    if onnx:
        convert(folder)
    info = BundleInfo(
        name,
        CATEGORIES,
        spec.preprocess,
        mask_frame=network.mask_frame,
        architecture=network.architecture,
        versions=installed_versions(),
    )
    write_info(folder, info)


def threshold_for(predictor: Predictor, pictures: Sequence[Path], count: int) -> float:
    """Return a threshold that leaves `count` instances on all pictures together."""
    found = predictor.predict((read_image(path) for path in pictures), threshold=0.0)
    return between(np.concatenate([instances.scores for instances in found]), count)


def between(scores: NDArray[np.float32], count: int) -> float:
    """Return a threshold in the middle between the last of `count` scores and the next one."""
    if len(scores) < count:
        raise SystemExit(f"there are {len(scores)} instances, {count} are wanted")
    ranked = np.append(np.sort(scores)[::-1], np.float32(0))
    return float(ranked[count - 1 : count + 1].mean())
