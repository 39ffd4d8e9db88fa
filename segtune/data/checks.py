"""Every fault of a dataset's splits, all reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtune.data import statistics
from segtune.data.coco import CocoDataset, read_sound_records
from segtune.data.findings import SEVERITIES, Finding, FindingLog, quote
from segtune.data.image_rules import check_image_files
from segtune.data.layout import SplitFiles
from segtune.data.statistics import SplitStatistics
from segtune.data.structure_rules import ImageEntry
from segtune.progress import Reporter

# Queries of Mask-RT-DETR and rows of PP-YOLOE_seg. Up to here all can be learnt from, although
# Mask-RT-DETR returns the best 100 and COCO's AP counts 100 of an image and class.
MAX_INSTANCES = 300


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
    annotation_file: Path, images_root: Path, *, reporter: Reporter, skip_images: bool = False
) -> SplitCheck:
    """Return everything that is wrong with one split.

    Its images are decoded, unless `skip_images` leaves the files alone and a finding says so.
    """
    log = FindingLog(annotation_file)
    dataset = _read(images_root, log, reporter, skip_images)
    return _split_check(dataset, log)


def check_splits(
    files: SplitFiles, *, reporter: Reporter, skip_images: bool = False
) -> SplitsCheck:
    """Return everything that is wrong with two splits and between them, see `check_split`."""
    train_log, val_log = FindingLog(files.train), FindingLog(files.val)
    train = _read(files.images_root, train_log, reporter, skip_images)
    val = _read(files.images_root, val_log, reporter, skip_images)
    _compare_categories(train, val, val_log)
    return SplitsCheck(_split_check(train, train_log), _split_check(val, val_log))


def _read(images_root: Path, log: FindingLog, reporter: Reporter, skip_images: bool) -> CocoDataset:
    dataset, image_entries = read_sound_records(images_root, log)
    if skip_images:
        log.add("images-skipped")
    else:
        check_image_files(image_entries, log, reporter=reporter)
    _note_overfull_images(dataset, image_entries, log)
    return dataset


def _split_check(dataset: CocoDataset, log: FindingLog) -> SplitCheck:
    return SplitCheck(
        log.findings(), None if log.has_errors else dataset, statistics.count(dataset)
    )


def _note_overfull_images(
    dataset: CocoDataset, entries: Sequence[ImageEntry], log: FindingLog
) -> None:
    table = dataset.table
    targets = table.image_rows()[~table.is_crowd]
    num_targets = np.bincount(targets, minlength=len(entries))
    for row in np.flatnonzero(num_targets > MAX_INSTANCES).tolist():
        entry = entries[row]
        detail = f"{num_targets[row]} instances, more than {MAX_INSTANCES} ({entry.path.name})"
        log.add("image-overfull", entry.pointer, detail)


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
