"""The use case `check-dataset`: verdict, findings and statistics of a dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from segtune.data.checks import SplitsCheck, check_splits
from segtune.data.coco import CocoDataset
from segtune.data.findings import Finding
from segtune.data.image_cache import ImageFactsCache
from segtune.data.layout import SplitFiles
from segtune.data.network_rules import limits_of
from segtune.data.statistics import SplitStatistics
from segtune.errors import DatasetError
from segtune.progress import Reporter, SilentReporter
from segtune.recipe import Recipe

_SILENT = SilentReporter()
_MAX_CODES_RAISED = 5


@dataclass(frozen=True)
class DatasetReport:
    """What a check of both splits found."""

    findings: tuple[Finding, ...]
    """Errors first; one for each broken rule and file."""
    statistics: dict[str, SplitStatistics]
    """Of `train` and `val`, over what is sound."""
    fingerprint: str | None
    """SHA-256 of both splits' annotations; None when there are errors."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the dataset from being used."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """`fail` when there is any error."""
        return "fail" if self.errors else "pass"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "verdict": self.verdict,
            "findings": [finding.to_json() for finding in self.findings],
            "statistics": {split: counts.to_json() for split, counts in self.statistics.items()},
            "fingerprint": self.fingerprint,
        }

    def raise_for_errors(self) -> None:
        """Raise DatasetError naming number and first places of all errors; else do nothing."""
        if not self.errors:
            return
        total = sum(finding.count for finding in self.errors)
        shown = self.errors[:_MAX_CODES_RAISED]
        lines = [f"{finding.places[0]} ({finding.count} x {finding.code})" for finding in shown]
        if len(shown) < len(self.errors):
            lines.append(f"and {len(self.errors) - len(shown)} more kinds of errors")
        first = self.errors[0]
        raise DatasetError(
            f"the dataset has {total} error{'s' if total > 1 else ''}, first: {first.message}",
            where="\n       ".join(lines),
            remedy=f"{first.remedy}; `segtune check-dataset` lists every error with its remedy",
        )


def check_dataset(
    files: SplitFiles,
    *,
    recipe: Recipe | None = None,
    skip_images: bool = False,
    use_cache: bool = True,
    reporter: Reporter = _SILENT,
) -> DatasetReport:
    """Return everything that is wrong with a dataset.

    Args:
        files: The annotation files of both splits and the folder of the images.
        recipe: What is to be trained on it; adds what its network cannot see or return.
        skip_images: Leave the image files alone instead of decoding all of them. The findings
            then include `images-skipped`, as a passed check says nothing about the files.
        use_cache: Take from the last check what it found in images that have not changed since.
        reporter: Hears how far the check is.
    """
    check = check_splits(
        files,
        reporter=reporter,
        skip_images=skip_images,
        cache=ImageFactsCache(files.images_root) if use_cache and not skip_images else None,
        network=None if recipe is None else limits_of(recipe),
    )
    return DatasetReport(
        findings=check.findings,
        statistics={"train": check.train.statistics, "val": check.val.statistics},
        fingerprint=_fingerprint(check),
    )


def fingerprint_of(train: CocoDataset, val: CocoDataset) -> str:
    """Return the SHA-256 of both splits' annotations."""
    both = train.fingerprint() + val.fingerprint()
    return hashlib.sha256(both.encode()).hexdigest()


def _fingerprint(check: SplitsCheck) -> str | None:
    if check.train.dataset is None or check.val.dataset is None:
        return None
    return fingerprint_of(check.train.dataset, check.val.dataset)
