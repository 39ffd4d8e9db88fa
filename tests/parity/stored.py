"""What the reference computed, and what a network computes from the same weights and scene."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from segtune.models.segmenter import InstanceSegmenter
from tests.parity.fill import fill

FOLDER = Path(__file__).parent
COMPUTED_BY_THE_NETWORK = ("anchors", "valid_mask", "proj_conv.weight")
ORIGINAL_HW = (480, 600)  # of the image that the stored detections refer to

Arrays = dict[str, NDArray[Any]]


def read_golden(model_name: str) -> Arrays:
    """Return the stored outputs of a model."""
    with np.load(FOLDER / "goldens" / f"{model_name}.npz") as golden:
        return {name: golden[name] for name in golden.files}


def read_manifest(model_name: str) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Return the shape of every tensor of a model, and whether it is trained."""
    lines = (FOLDER / "manifests" / f"{model_name}.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {
        name: (tuple(int(side) for side in shape.split("x")), trainable == "1")
        for name, shape, _, _, trainable in rows
    }


def give_stored_weights(network: InstanceSegmenter, gain: float) -> None:
    """Fill a network as the reference was filled."""
    tensors = network.state_dict()
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in tensors.items()
        if not name.endswith(COMPUTED_BY_THE_NETWORK)
    }
    for name, value in fill(shapes, gain, seed=0).items():
        tensors[name].set_value(value)


def record_stages(network: InstanceSegmenter, parts: tuple[str, ...]) -> Arrays:
    """Return a dict that every forward pass fills with summaries of what the parts return."""
    stages: Arrays = {}
    for part in parts:

        def record(_layer: Any, _inputs: Any, outputs: Any, part: str = part) -> None:
            for index, output in enumerate(outputs):
                stages[f"stage:{part}.{index}"] = summarise(output)

        getattr(network, part).register_forward_post_hook(record)
    return stages


def expect_stages(stages: Arrays, golden: Arrays, *, without: Collection[str] = ()) -> None:
    """Hold summaries of stages against the stored ones, of which some may be left out."""
    expected = {
        name: value
        for name, value in golden.items()
        if name.startswith("stage:") and name not in without
    }
    assert sorted(stages) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(stages[name], value, atol=1e-3 * value[2], err_msg=name)


def summarise(tensor: paddle.Tensor) -> NDArray[np.float32]:
    """Return mean, standard deviation, largest magnitude and 32 values of a tensor."""
    values = tensor.numpy().ravel()
    chosen = values[np.linspace(0, values.size - 1, 32).astype(int)]
    return np.array([values.mean(), values.std(), np.abs(values).max(), *chosen], np.float32)


def count_partners(
    golden: Arrays, bbox: NDArray[np.float32], masks: NDArray[Any], *, area_share: float = 0.01
) -> int:
    """Return how many stored detections are among `bbox` (R, 6) and `masks` (R, H, W).

    Areas of masks may differ by the given share.
    """
    areas = masks.sum(axis=(1, 2))
    free = np.ones(len(bbox), bool)
    partners = 0
    for row, area in zip(golden["bbox"], golden["mask_area"], strict=True):
        alike = free & (bbox[:, 0] == row[0]) & (np.abs(bbox[:, 1] - row[1]) <= 1e-3)
        alike &= (np.abs(bbox[:, 2:] - row[2:]) <= 0.5).all(axis=1)
        alike &= np.abs(areas - area) <= area_share * max(area, 1)
        if alike.any():
            free[alike.argmax()] = False
            partners += 1
    return partners
