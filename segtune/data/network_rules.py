"""What a network, at the input size it is to be trained with, cannot see or return.

Shapes: n instances, I images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog
from segtune.data.instance_places import image_name, place_of
from segtune.data.mask_measures import image_sizes
from segtune.data.structure_rules import ImageEntry
from segtune.preprocess import PreprocessSpec
from segtune.recipe import Recipe
from segtune.zoo import find_spec


@dataclass(frozen=True)
class NetworkLimits:
    """A network's input, finest features and largest number of results."""

    model: str
    preprocess: PreprocessSpec
    finest_stride: int
    """Input pixels that a cell of its finest features stands for."""
    max_instances: int
    """Of one image."""


def limits_of(recipe: Recipe) -> NetworkLimits:
    """Return the limits of the network that a recipe trains."""
    spec = find_spec(recipe.model)
    preprocess = spec.preprocess
    if recipe.image_size is not None:
        preprocess = replace(preprocess, size_hw=recipe.image_size)
    return NetworkLimits(spec.name, preprocess, spec.finest_stride, spec.max_instances)


def check_against_network(
    dataset: CocoDataset, entries: Sequence[ImageEntry], network: NetworkLimits, log: FindingLog
) -> None:
    """Note instances too narrow and images too full for a network.

    Args:
        dataset: One split.
        entries: Of its images.
        network: What is to be trained.
        log: Where it is noted.
    """
    _check_sizes(dataset, network, log)
    table = dataset.table
    numbers = np.bincount(table.image_rows()[~table.is_crowd], minlength=len(entries))
    for image in np.flatnonzero(numbers > network.max_instances).tolist():
        detail = f"{numbers[image]}, {network.model} returns {network.max_instances}"
        name = entries[image].path.name
        log.add("image-above-limit", entries[image].pointer, f"{detail} ({name})")


def _check_sizes(dataset: CocoDataset, network: NetworkLimits, log: FindingLog) -> None:
    table = dataset.table
    sizes, which = np.unique(image_sizes(dataset), axis=0, return_inverse=True)
    resized = [network.preprocess.target_hw((height, width)) for height, width in sizes.tolist()]
    scales_hw = np.array(resized).reshape(-1, 2) / sizes
    scale_hw = scales_hw[which.ravel()][table.image_rows()]  # (n, 2)
    sides_hw = (table.boxes[:, 2:] - table.boxes[:, :2])[:, ::-1]
    narrow_px = (sides_hw * scale_hw).min(axis=1, initial=np.inf)  # (n,)
    for row in np.flatnonzero((narrow_px < network.finest_stride) & ~table.is_crowd).tolist():
        width_px = f"{narrow_px[row]:.1f} of {network.finest_stride} pixels"
        log.add(
            "instance-below-stride",
            place_of(dataset, row),
            f"{width_px} on {image_name(dataset, row)}",
        )
