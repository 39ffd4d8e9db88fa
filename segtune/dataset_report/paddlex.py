"""What PaddleX's dataset check leaves behind, in its names and shape, with true numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segtune import files
from segtune.categories import Categories
from segtune.check_dataset import DatasetReport
from segtune.data.statistics import SplitStatistics
from segtune.dataset_report.loose import LooseImage, LooseSplit
from segtune.dataset_report.photographs import Photographs
from segtune.dataset_report.samples import draw_instances
from segtune.images import write_image
from segtune.progress import Reporter

RESULT_FILE = "check_dataset_result.json"
FOLDER = "check_dataset"
DEMO_FOLDER = f"{FOLDER}/demo_img"
HISTOGRAM = f"{FOLDER}/histogram.png"
SAMPLES_PER_SPLIT = 10  # as PaddleX draws
_TRIES = 5  # images looked at for each sample, when some cannot be read
_LONGEST_PX = 1024
_NAME_LENGTH = 60
_MOST_BARS = 60
_INCHES_PER_BAR = 0.28


def write_result(
    folder: Path,
    report: DatasetReport,
    splits: Mapping[str, LooseSplit],
    photographs: Photographs,
    *,
    name: str,
    reporter: Reporter,
) -> dict[str, Any]:
    """Write drawn samples and a histogram, and return what `check_dataset_result.json` holds.

    PaddleX counts annotations where it says samples; here they are images. A dataset with errors
    has `check_pass: false` and the reason beside everything else.

    Args:
        folder: Receives `check_dataset/`.
        report: What the check found.
        splits: Both annotation files, read for drawing.
        photographs: Reads their images.
        name: Of the dataset's folder.
        reporter: Told about the samples that are drawn.
    """
    attributes: dict[str, Any] = {"num_classes": len(_class_names(report))}
    for split, statistics in report.statistics.items():
        attributes[f"{split}_samples"] = statistics.num_images
    for split, loose in splits.items():
        attributes[f"{split}_sample_paths"] = _draw_samples(
            folder, split, loose, photographs, reporter
        )
    files.write_bytes(folder / HISTOGRAM, _histogram(report.statistics))
    passes = report.verdict == "pass"
    result: dict[str, Any] = {"done_flag": passes, "check_pass": passes}
    if not passes:
        result |= {"err_type": "DatasetError", "err_msg": _reason(report)}
    return result | {
        "attributes": attributes,
        "analysis": {"histogram": HISTOGRAM},
        "dataset_path": name,
        "show_type": "image",
        "dataset_type": "COCOInstSegDataset",
    }


def _reason(report: DatasetReport) -> str:
    total = sum(finding.count for finding in report.errors)
    first = report.errors[0]
    return f"{total} errors, first: {first.message} ({first.places[0]})"


def _class_names(report: DatasetReport) -> list[str]:
    splits = report.statistics.values()
    return list(dict.fromkeys(name for split in splits for name in split.instances_per_class))


def _draw_samples(
    folder: Path, title: str, split: LooseSplit, photographs: Photographs, reporter: Reporter
) -> list[str]:
    """Draw the first images of a split, those with instances before the others."""
    categories = Categories(enumerate(dict.fromkeys(split.class_names.values())))
    with_instances = list(split.annotations_of)
    without = [row for row in range(split.num_images) if row not in split.annotations_of]
    candidates = (with_instances + without)[: _TRIES * SAMPLES_PER_SPLIT]
    paths: list[str] = []
    with reporter.task(f"Drawing samples of {title}", SAMPLES_PER_SPLIT) as task:
        for index in candidates:
            if len(paths) == SAMPLES_PER_SPLIT:
                break
            image = split.image(index)
            picture = "" if image is None else photographs.read(image)
            if image is None or isinstance(picture, str):
                continue
            found = [split.annotation(row) for row in split.annotations_of.get(index, ())]
            known = [annotation for annotation in found if annotation is not None]
            drawn, _ = draw_instances(
                picture, known, categories, longest_px=_LONGEST_PX, tags="name"
            )
            paths.append(f"{DEMO_FOLDER}/{_file_name(title, len(paths) + 1, image)}")
            write_image(folder / paths[-1], drawn)
            task.advance()
    return paths


def _file_name(split: str, number: int, image: LooseImage) -> str:
    stem = re.sub(r"[^\w.-]+", "_", Path(image.file_name).stem)[:_NAME_LENGTH]
    return f"{split}_{number:02d}_{stem}.jpg"


def _histogram(statistics: Mapping[str, SplitStatistics]) -> bytes:
    """Return a PNG of instances per class, the most frequent on top."""
    import io

    from matplotlib.figure import Figure

    totals: dict[str, int] = {}
    for split in statistics.values():
        for name, count in split.instances_per_class.items():
            totals[name] = totals.get(name, 0) + count
    names = sorted(totals, key=lambda name: -totals[name])[:_MOST_BARS]
    figure = Figure(figsize=(8, 1.4 + _INCHES_PER_BAR * max(4, len(names))), layout="constrained")
    axes = figure.add_subplot()
    rows = np.arange(len(names))
    for offset, colour, (split_name, split) in zip(
        (-0.2, 0.2), ("#2f6fc4", "#e07b00"), statistics.items(), strict=True
    ):
        counts = [split.instances_per_class.get(name, 0) for name in names]
        axes.barh(rows + offset, counts, 0.4, color=colour, label=split_name)
    # Dollar signs would be read as formulas.
    shown = [name[:_NAME_LENGTH].replace("$", r"\$") for name in names]
    axes.set_yticks(rows, shown)
    axes.invert_yaxis()
    axes.set_xlabel("instances")
    if len(names) < len(totals):
        axes.set_title(f"{len(names)} of {len(totals)} classes", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return stream.getvalue()
