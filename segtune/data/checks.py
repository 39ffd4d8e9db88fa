"""Every fault of a dataset's splits, all reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segtune.data import statistics
from segtune.data.agreement_rules import check_agreement
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
from segtune.data.image_kind_rules import check_image_kinds
from segtune.data.image_paths import ImageFolder
from segtune.data.image_rules import inspect_images
from segtune.data.layout import SplitFiles
from segtune.data.mask_measures import measure_masks
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
    cache: ImageFactsCache | None = None,
) -> SplitCheck:
    """Return everything that is wrong with one split; its images are decoded.

    Args:
        annotation_file: COCO JSON.
        images_root: Folder that its file names are relative to.
        reporter: Shown how many images are decoded.
        cache: Spares decoding images that have not changed since the last check.
    """
    return _split_check(
        _check(ImageFolder(images_root), cache, FindingLog(annotation_file), reporter)
    )


def check_splits(
    files: SplitFiles, *, reporter: Reporter, cache: ImageFactsCache | None = None
) -> SplitsCheck:
    """Return everything that is wrong with two splits and between them."""
    folder = ImageFolder(files.images_root)
    train = _check(folder, cache, FindingLog(files.train), reporter)
    val = _check(folder, cache, FindingLog(files.val), reporter)
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
    folder: ImageFolder, cache: ImageFactsCache | None, log: FindingLog, reporter: Reporter
) -> _Checked:
    dataset, entries = read_sound_records(folder.root, log)
    _check_annotations(dataset, entries, log)
    facts = inspect_images(entries, folder, cache, log, reporter=reporter)
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
