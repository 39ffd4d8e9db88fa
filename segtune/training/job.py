"""What a run consists of, decided before its first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segtune.data.coco import CocoDataset
from segtune.data.layout import SplitFiles
from segtune.data.statistics import SplitStatistics
from segtune.preprocess import PreprocessSpec
from segtune.recipe import Recipe
from segtune.zoo import ModelSpec

DatasetCheck = Literal["full", "skip"]
"""Whether the dataset is held to every rule before a run, or only read."""


@dataclass(frozen=True)
class Job:
    """A recipe with what it names looked up, read and checked."""

    recipe: Recipe
    spec: ModelSpec
    preprocess: PreprocessSpec  # of the model, at the recipe's image size
    files: SplitFiles
    train: CocoDataset
    val: CocoDataset
    fingerprint: str  # of both splits
    statistics: Mapping[str, SplitStatistics]  # of `train` and `val`
    dataset_check: DatasetCheck = "full"
