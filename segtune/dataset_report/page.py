"""The page: one HTML file that shows a check, with nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import segtune
from segtune.check_dataset import DatasetReport
from segtune.data.findings import SEVERITIES, Finding
from segtune.dataset_report import plots
from segtune.dataset_report.distributions import Distribution
from segtune.dataset_report.evidence import MOST_PICTURES, PAGE_PICTURES, Evidence, EvidenceMaker
from segtune.dataset_report.loose import LooseSplit
from segtune.dataset_report.photographs import Photographs
from segtune.dataset_report.places import Place, parse_place
from segtune.dataset_report.samples import class_samples
from segtune.progress import Reporter

if TYPE_CHECKING:
    from jinja2 import Template

MOST_CLASS_ROWS = 2000
CLASS_ROWS_OPEN = 30
"""Rows of the class table that are seen at once; the others are folded away."""
GENERATOR = '<meta name="generator" content="segtune check-dataset">'
"""By which a page of ours is known."""

_EXPLAINED = {
    "error": "The dataset cannot be trained on until these are mended.",
    "warning": "Training works, but each of these is likely a mistake.",
    "info": "What segtune takes as it is, or completes by itself.",
}


@dataclass(frozen=True)
class ShownFinding:
    """A finding with its places and pictures."""

    finding: Finding
    anchor: str
    split: str
    """`train`, `val`, or empty for a place that is in neither file."""
    places: tuple[Place, ...]
    evidence: tuple[Evidence, ...]

    @property
    def has_pictures(self) -> bool:
        """Whether there is a picture of any place."""
        return any(each.source is not None for each in self.evidence)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why places have no picture, each reason once."""
        return tuple(dict.fromkeys(each.note for each in self.evidence if each.source is None))


@dataclass(frozen=True)
class SeverityGroup:
    """All findings of one severity."""

    severity: str
    explained: str
    shown: tuple[ShownFinding, ...]
    count: int

    @property
    def has_pictures(self) -> bool:
        """Whether there is a picture of any finding."""
        return any(each.has_pictures for each in self.shown)


@dataclass(frozen=True)
class ClassRow:
    """Instances of one class by split, and the same as shares of the longest bar."""

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Plot:
    """One figure: SVG drawings with a title and what they say in words."""

    title: str
    summary: str
    drawings: tuple[tuple[str, str], ...]
    """Caption, perhaps empty, and SVG."""
    has_legend: bool = True


def render(
    report: DatasetReport,
    files: Mapping[str, Path],
    splits: Mapping[str, LooseSplit],
    photographs: Photographs,
    *,
    name: str,
    written: datetime,
    reporter: Reporter,
) -> str:
    """Return the page as HTML.

    Args:
        report: What the check found.
        files: Annotation file by split, as the check was given them.
        splits: The same files, read for drawing.
        photographs: Reads their images.
        name: Of the dataset.
        written: When; shown to the minute.
        reporter: Told about the pictures that are made.
    """
    script = _asset("page.js")
    samples, num_classes = class_samples(splits, photographs)
    return _template().render(
        report=report,
        name=name,
        written=written,
        version=segtune.__version__,
        generator=GENERATOR,
        files=files,
        style=_asset("page.css"),
        script=script,
        script_hash=_script_hash(script),
        groups=_groups(report.findings, files, EvidenceMaker(splits, photographs), reporter),
        statistics=report.statistics,
        class_rows=_class_rows(report)[:MOST_CLASS_ROWS],
        rows_open=CLASS_ROWS_OPEN,
        num_classes=num_classes,
        plots=_plots(report, splits),
        samples=samples,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("segtune.dataset_report", "page"),
        autoescape=True,  # names in a dataset may be markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _asset(name: str) -> str:
    return (package_files("segtune.dataset_report") / "page" / name).read_text(encoding="utf-8")


def _script_hash(script: str) -> str:
    """Return the source expression by which the page allows its own script and no other."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _groups(
    findings: Sequence[Finding],
    files: Mapping[str, Path],
    maker: EvidenceMaker,
    reporter: Reporter,
) -> list[SeverityGroup]:
    most = max(1, min(MOST_PICTURES, PAGE_PICTURES // max(1, len(findings))))
    shown: dict[str, list[ShownFinding]] = {severity: [] for severity in SEVERITIES}
    with reporter.task("Drawing findings", total=len(findings)) as task:
        for number, finding in enumerate(findings, start=1):
            places = tuple(parse_place(text, files) for text in finding.places)
            shown[finding.severity].append(
                ShownFinding(
                    finding=finding,
                    anchor=f"finding-{number}",
                    split=places[0].split or "" if places else "",
                    places=places,
                    evidence=tuple(maker.of(places, most)),
                )
            )
            task.advance()
    return [
        SeverityGroup(
            severity, _EXPLAINED[severity], tuple(group), sum(s.finding.count for s in group)
        )
        for severity, group in shown.items()
        if group
    ]


def _class_rows(report: DatasetReport) -> list[ClassRow]:
    """Return the classes, those with the most instances first."""
    splits = list(report.statistics.values())
    names = dict.fromkeys(name for split in splits for name in split.instances_per_class)
    counts = {
        name: tuple(split.instances_per_class.get(name, 0) for split in splits) for name in names
    }
    longest = max((max(row) for row in counts.values()), default=0) or 1
    return [
        ClassRow(name, row, tuple(100 * count / longest for count in row))
        for name, row in sorted(counts.items(), key=lambda item: -sum(item[1]))
    ]


def _plots(report: DatasetReport, splits: Mapping[str, LooseSplit]) -> list[Plot]:
    measured = {
        name: Distribution.of(split, report.statistics[name]) for name, split in splits.items()
    }
    sides = {name: each.sides_px for name, each in measured.items()}
    if not any(len(values) for values in sides.values()):
        return []
    per_image = {name: each.per_image.astype(np.float64) for name, each in measured.items()}
    size = _medians(sides, "{} px")
    crowd = _medians(per_image, "{}")
    ratios = {name: each.ratios for name, each in measured.items()}
    ratio = _medians(ratios, "{} : 1", digits=2)
    longest = max(float(values.max(initial=0)) for values in sides.values())
    most = max(int(values.max(initial=0)) for values in per_image.values())
    return [
        Plot(
            "Mask sizes",
            f"{size}. The dotted lines are COCO's limits of small and large, 32 and 96 pixels.",
            (("", _sizes(sides, longest, size)),),
        ),
        Plot(
            "Instances on an image",
            f"{crowd}.",
            (("", plots.histogram(per_image, plots.count_axis(most), f"Histogram: {crowd}")),),
        ),
        Plot(
            "Shapes of boxes",
            f"{ratio}. The dotted line is the square.",
            (
                (
                    "",
                    plots.histogram(
                        {name: np.log2(values) for name, values in ratios.items()},
                        plots.ratio_axis(),
                        f"Histogram: {ratio}",
                    ),
                ),
            ),
        ),
        Plot(
            "Positions",
            "Centres of instances on their image: the stronger, the more of them.",
            tuple(
                (name, plots.heat_map(each.centres_xy, f"Heat map of {name}: {_spread(each)}"))
                for name, each in measured.items()
            ),
            has_legend=False,
        ),
    ]


def _sizes(sides: Mapping[str, NDArray[np.float64]], longest: float, alt: str) -> str:
    octaves = {name: np.log2(np.maximum(values, 1)) for name, values in sides.items()}
    return plots.histogram(octaves, plots.size_axis(longest), f"Histogram: {alt}")


def _medians(values: Mapping[str, NDArray[np.float64]], what: str, digits: int = 0) -> str:
    """Return the medians of both splits as a phrase, `what` having a place for the number."""
    parts = [
        f"{what.format(f'{float(np.median(series)):.{digits}f}')} in {name}"
        for name, series in values.items()
        if len(series)
    ]
    return f"Median {', '.join(parts)}" if parts else "No instances"


def _spread(measured: Distribution) -> str:
    if not len(measured.centres_xy):
        return "no instances"
    middle = np.median(measured.centres_xy, axis=0)
    return (
        f"the middle one of {len(measured.centres_xy)} instances lies at {100 * middle[0]:.0f} % "
        f"of the width and {100 * middle[1]:.0f} % of the height"
    )
