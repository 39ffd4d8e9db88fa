"""Every fault of a dataset's splits, all reported at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segtune.data import statistics
from segtune.data.agreement_rules import check_agreement
from segtune.data.annotation_file import collector_paused
from segtune.data.coco import CocoDataset, read_sound_records
from segtune.data.crowding_rules import check_crowding
from segtune.data.distribution_rules import (
    check_distribution,
    check_training_counts,
    compare_splits,
)
from segtune.data.duplicate_rules import check_duplicates
from segtune.data.exif_rules import check_exif
from segtune.data.findings import SEVERITIES, Finding, FindingLog, quote
from segtune.data.image_cache import ImageFactsCache
from segtune.data.image_facts import ImageFacts
from segtune.data.image_kind_rules import check_image_kinds
from segtune.data.image_paths import ImageFolder
from segtune.data.image_rules import inspect_images
from segtune.data.layout import SplitFiles
from segtune.data.mask_measures import measure_masks
from segtune.data.network_rules import NetworkLimits, check_against_network
from segtune.data.ring_pair_rules import check_ring_pairs
from segtune.data.ring_rules import check_rings
from segtune.data.statistics import SplitStatistics
from segtune.data.structure_rules import ImageEntry
from segtune.data.twin_rules import (
    Picture,
    check_shared_images,
    check_twins,
    decoded_pictures,
)
from segtune.progress import Reporter

_Inspect = Callable[[Sequence[ImageEntry], FindingLog], list[ImageFacts | None]]


@dataclass(frozen=True)
class SplitCheck:
    """What is wrong with one split, and what it consists of."""

    findings: tuple[Finding, ...]
    dataset: CocoDataset | None
    """The records, when there is no error among the findings."""
    statistics: SplitStatistics
    """Over what is sound."""


@dataclass(frozen=True)
class SplitsCheck:
    """The checks of both splits; what differs between them is among the findings of `val`."""

    train: SplitCheck
    val: SplitCheck

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of both files, errors first."""
        both = self.train.findings + self.val.findings
        return tuple(sorted(both, key=lambda finding: SEVERITIES.index(finding.severity)))


def check_split(
    annotation_file: Path,
    images_root: Path,
    *,
    reporter: Reporter,
    skip_images: bool = False,
    cache: ImageFactsCache | None = None,
    network: NetworkLimits | None = None,
) -> SplitCheck:
    """Return everything that is wrong with one split.

    Args:
        annotation_file: COCO JSON.
        images_root: Folder that its file names are relative to.
        reporter: Shown how many images are decoded.
        skip_images: Leave the image files alone; a finding says so.
        cache: Spares decoding images that have not changed since the last check.
        network: What is to be trained; None leaves out the rules about it.
    """
    folder = ImageFolder(images_root)
    inspect = None if skip_images else partial(inspect_images, folder, cache, reporter=reporter)
    return _split_check(_check(images_root, inspect, network, FindingLog(annotation_file)))


def check_splits(
    files: SplitFiles,
    *,
    reporter: Reporter,
    skip_images: bool = False,
    cache: ImageFactsCache | None = None,
    network: NetworkLimits | None = None,
) -> SplitsCheck:
    """Return everything that is wrong with two splits and between them, see `check_split`."""
    folder = ImageFolder(files.images_root)
    inspect = None if skip_images else partial(inspect_images, folder, cache, reporter=reporter)
    train = _check(files.images_root, inspect, network, FindingLog(files.train))
    val = _check(files.images_root, inspect, network, FindingLog(files.val))
    check_training_counts(train.dataset, train.log)
    _compare_categories(train.dataset, val.dataset, val.log)
    compare_splits(train.dataset, val.dataset, val.log)
    check_shared_images(train.pictures, val.pictures, val.log)
    return SplitsCheck(_split_check(train), _split_check(val))


@dataclass(frozen=True)
class _Checked:
    """One split when everything in it has been looked at."""

    dataset: CocoDataset
    pictures: list[Picture]
    log: FindingLog


def _check(
    images_root: Path, inspect: _Inspect | None, network: NetworkLimits | None, log: FindingLog
) -> _Checked:
    with collector_paused():
        dataset, entries = read_sound_records(images_root, log)
        _check_annotations(dataset, entries, log)
        if network is not None:
            check_against_network(dataset, entries, network, log)
    if inspect is None:
        log.add("images-skipped")
        return _Checked(dataset, [], log)
    facts = inspect(entries, log)
    check_exif(dataset, entries, facts, log)
    check_image_kinds(entries, facts, log)
    pictures = decoded_pictures(entries, facts, log)
    check_twins(pictures, log)
    return _Checked(dataset, pictures, log)


def _check_annotations(
    dataset: CocoDataset, entries: Sequence[ImageEntry], log: FindingLog
) -> None:
    measures = measure_masks(dataset)
    check_rings(dataset, log)
    check_ring_pairs(dataset, log)
    check_agreement(dataset, measures, log)
    check_duplicates(dataset, log)
    check_distribution(dataset, log)
    check_crowding(dataset, entries, log)


def _split_check(split: _Checked) -> SplitCheck:
    return SplitCheck(
        split.log.findings(),
        None if split.log.has_errors else split.dataset,
        statistics.count(split.dataset),
    )


def _compare_categories(train: CocoDataset, val: CocoDataset, log: FindingLog) -> None:
    """Note in the log of `val` where its ids and names differ from those of `train`."""
    names = {category.id: category.name for category in train.categories}
    val_names = {category.id: category.name for category in val.categories}
    if not names or not val_names:  # noted as such already
        return
    for category_id in sorted(names.keys() | val_names.keys()):
        name, val_name = names.get(category_id), val_names.get(category_id)
        if name == val_name:
            continue
        if name is None or val_name is None:
            split, shown = ("train", name) if val_name is None else ("val", val_name)
            detail = f"id {category_id}, {quote(shown)}, is declared in {split} only"
            log.add("category-split-missing", "categories", detail)
        else:
            detail = f"id {category_id} is {quote(name)} in train, {quote(val_name)} in val"
            log.add("category-split-name", "categories", detail)
