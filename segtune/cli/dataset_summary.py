"""What `segtune check-dataset` shows on a terminal, and writes into a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtune.cli import console

if TYPE_CHECKING:
    from segtune.check_dataset import DatasetReport
    from segtune.data.findings import Finding

PLACES_SHOWN = 3  # of each finding; --json has up to ten
CLASSES_SHOWN = 20  # --json and --report have them all
NAME_SHOWN = 60  # characters of a class name
COUNTS = (
    ("images", "num_images"),
    ("images without instances", "num_background_images"),
    ("instances", "num_instances"),
    ("crowd regions", "num_crowds"),
)
STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold blue"}


def show(report: DatasetReport, page: Path | None) -> None:
    """Show counts, classes and findings; the verdict comes last, where the eye is.

    Args:
        report: What the check found.
        page: Where the report was written, if it was.
    """
    splits = report.statistics.values()
    rows = [[title, *(str(getattr(split, field)) for split in splits)] for title, field in COUNTS]
    console.show_table(["", *report.statistics], rows)
    _show_classes(report)
    for finding in report.findings:
        _show_finding(finding)
    if page is not None:
        console.show_item("report: ", str(page))
    _show_verdict(report)


def _show_classes(report: DatasetReport) -> None:
    """Show the classes, those with the most instances first."""
    splits = report.statistics.values()
    names = dict.fromkeys(name for split in splits for name in split.instances_per_class)
    counts = {name: [split.instances_per_class.get(name, 0) for split in splits] for name in names}
    largest = sorted(names, key=lambda name: -sum(counts[name]))[:CLASSES_SHOWN]
    rows = [[_shown(name), *map(str, counts[name])] for name in largest]
    if rows:
        console.show_table(["class", *report.statistics], rows)
    if len(names) > len(rows):
        console.show(f"and {len(names) - len(rows)} more classes\n")


def _show_finding(finding: Finding) -> None:
    head = f"{finding.message} ({finding.count} x {finding.code})"
    console.show_item(f"{finding.severity}: ", head, STYLES[finding.severity])
    places = list(finding.places[:PLACES_SHOWN])
    if finding.count > len(places):
        places.append(f"and {finding.count - len(places)} more")
    for index, place in enumerate(places):
        console.show_item("where: " if index == 0 else " " * 7, place, "dim")
    console.show_item("fix:   ", finding.remedy, "dim")
    console.show("")


def _show_verdict(report: DatasetReport) -> None:
    totals = {
        severity: sum(each.count for each in report.findings if each.severity == severity)
        for severity in ("error", "warning")
    }
    counted = " and ".join(
        f"{total} {severity}{'' if total == 1 else 's'}"
        for severity, total in totals.items()
        if total
    )
    if report.verdict == "pass":
        text = "the dataset can be trained on" + (f"; it has {counted}" if counted else "")
        console.show_item("pass: ", text, "bold green")
    else:
        console.show_item("fail: ", f"the dataset has {counted}", STYLES["error"])


def _shown(name: str) -> str:
    """Return a class name on one line, without what a terminal would obey."""
    printable = name if name.isprintable() else repr(name)[1:-1]
    return printable if len(printable) <= NAME_SHOWN else f"{printable[: NAME_SHOWN - 3]}..."
