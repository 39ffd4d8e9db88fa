"""How the instances of a split spread over classes and images, and whether both splits agree.

Shapes: K classes, I images, n instances.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from segtune import boxes
from segtune.data.coco import CocoDataset
from segtune.data.findings import FindingLog, quote
from segtune.data.mask_measures import image_sizes

_FEWEST = 10  # instances of a class, from which little can be learnt and nothing be measured
_IMBALANCE = 20.0  # the largest class over the smallest; beyond 10 is called long-tailed (LVIS)
_MOST = 0.5
# A difference between splits has to be both improbable in a random draw and large. One draw in
# 10,000 is as far apart as this by chance: normal deviate, and Kolmogorov-Smirnov factor.
_IMPROBABLE_DEVIATES = 3.9
_IMPROBABLE_KS = 2.23
_LARGE_RATIO = 2.0


def check_distribution(dataset: CocoDataset, log: FindingLog) -> None:
    """Note what is one-sided in one split."""
    table = dataset.table
    if len(table) and table.is_crowd.all():
        log.add("instances-all-crowd", "annotations", f"{len(table)} crowds")
    _check_names(dataset, log)
    _check_unused(dataset, log)
    num_empty = int((np.diff(table.image_starts) == 0).sum())
    if len(table) and num_empty > _MOST * len(dataset.images):
        log.add("images-mostly-empty", "images", f"{num_empty} of {len(dataset.images)}")


def check_training_counts(dataset: CocoDataset, log: FindingLog) -> None:
    """Note classes of a training split that have few instances, or few beside the others."""
    counts = _per_class(dataset)  # (K,)
    for category in dataset.categories:
        if 0 < counts[category.label] < _FEWEST:
            detail = f"{quote(category.name)} has {counts[category.label]}"
            log.add("category-few-instances", "categories", detail)
    present = np.flatnonzero(counts)
    if len(present) == 0:
        return
    most, least = present[counts[present].argmax()], present[counts[present].argmin()]
    if counts[most] > _IMBALANCE * counts[least]:
        shown = [
            f"{counts[label]} {quote(dataset.categories[label].name)}" for label in (most, least)
        ]
        log.add("category-imbalance", "categories", " to ".join(shown))


def compare_splits(train: CocoDataset, val: CocoDataset, log: FindingLog) -> None:
    """Note in the log of `val` in what it is unlike `train`, beyond what chance explains."""
    if not len(train.table) or not len(val.table):
        return
    _compare_classes(train, val, log)
    _compare_sizes(train, val, log)


def _check_names(dataset: CocoDataset, log: FindingLog) -> None:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for category in dataset.categories:
        alike["".join(category.name.casefold().split())].append(category.name)
    for names in alike.values():
        if len(set(names)) > 1:
            log.add("category-name-similar", "categories", " and ".join(map(quote, names)))


def _check_unused(dataset: CocoDataset, log: FindingLog) -> None:
    if len(dataset.table) == 0:
        return
    counts = _per_class(dataset)
    for category in dataset.categories:
        if counts[category.label] == 0:
            log.add("category-unused", "categories", quote(category.name))


def _per_class(dataset: CocoDataset) -> NDArray[np.int64]:
    """Return the number of instances (K,) of every class, crowds aside."""
    labels = dataset.table.labels[~dataset.table.is_crowd]
    return np.asarray(np.bincount(labels, minlength=len(dataset.categories)))


def _images_per_class(dataset: CocoDataset) -> dict[str, int]:
    """Return by class name on how many images there is an instance of it."""
    table, num_classes = dataset.table, len(dataset.categories)
    keys = np.unique((table.image_rows() * num_classes + table.labels)[~table.is_crowd])
    numbers = np.bincount(keys % num_classes, minlength=num_classes).tolist()
    return {category.name: numbers[category.label] for category in dataset.categories}


def _compare_classes(train: CocoDataset, val: CocoDataset, log: FindingLog) -> None:
    """Compare on how many images a class is: instances of one image are not independent."""
    named = [_images_per_class(dataset) for dataset in (train, val)]
    sizes = [len(dataset.images) for dataset in (train, val)]
    for name in sorted(named[0].keys() & named[1].keys()):
        shares = [named[split][name] / sizes[split] for split in (0, 1)]
        pooled = (named[0][name] + named[1][name]) / sum(sizes)
        deviation = np.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
        improbable = abs(shares[0] - shares[1]) > _IMPROBABLE_DEVIATES * deviation
        if improbable and max(shares) > _LARGE_RATIO * min(shares):
            detail = (
                f"{quote(name)} is on {shares[0]:.0%} of images in train, {shares[1]:.0%} in val"
            )
            log.add("splits-classes-differ", "annotations", detail)


def _compare_sizes(train: CocoDataset, val: CocoDataset, log: FindingLog) -> None:
    """Compare the median size of the instances of each image."""
    sizes = [np.sort(_median_sizes(dataset)) for dataset in (train, val)]
    if min(map(len, sizes)) == 0:
        return
    everything = np.concatenate(sizes)
    shares = [each.searchsorted(everything, side="right") / len(each) for each in sizes]
    distance = np.abs(shares[0] - shares[1]).max()
    limit = _IMPROBABLE_KS * np.sqrt(1 / len(sizes[0]) + 1 / len(sizes[1]))
    medians = [float(np.median(each)) for each in sizes]
    if distance > limit and max(medians) > _LARGE_RATIO * min(medians):
        shown = f"{medians[0]:.1%} of the image's side in train, {medians[1]:.1%} in val"
        log.add("splits-sizes-differ", "annotations", f"half of the instances are below {shown}")


def _median_sizes(dataset: CocoDataset) -> NDArray[np.float64]:
    """Return for each image with instances the median of the roots of their share of it."""
    table = dataset.table
    image = table.image_rows()
    share = np.sqrt(boxes.areas(table.boxes) / image_sizes(dataset).prod(axis=1)[image])
    ordered = share[np.lexsort([share, image])]
    first, number = table.image_starts[:-1], np.diff(table.image_starts)
    return np.asarray(ordered[(first + number // 2)[number > 0]])
