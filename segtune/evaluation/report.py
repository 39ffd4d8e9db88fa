"""What an evaluation found, as numbers with names.

An AP or AR is a fraction. None says that there was no ground truth to find, for example no small
object; ground truth without any detection is 0.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segtune.files import write_text

MAIN_METRIC = "mask_ap"  # decides which checkpoint is the best one

# MLflow admits letters, digits, underscores, dashes, dots and spaces on every system, 250 in all.
_UNSAFE = re.compile(r"[^\w.\- ]")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Figures:
    """The twelve COCO figures of masks or of boxes.

    Small is an area under 32 x 32 pixels, large one over 96 x 96. ar1, ar10 and ar100 allow so
    many detections per image and class; all others allow 100.
    """

    ap: float | None  # mean over IoU .50:.05:.95
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class."""

    class_name: str
    category_id: int
    mask: Figures
    box: Figures
    num_instances: int  # crowd regions aside
    num_detections: int


@dataclass(frozen=True)
class Report:
    """The figures of a network on a dataset, overall and per class in the order of labels."""

    mask: Figures
    box: Figures
    per_class: tuple[ClassFigures, ...]
    num_images: int
    num_instances: int  # crowd regions aside
    num_detections: int

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; a figure without ground truth is null."""
        figures = asdict(self)
        return {**figures, "per_class": list(figures["per_class"])}

    def to_metrics(self) -> dict[str, float]:
        """Return the figures by metric name; those without ground truth are left out.

        Overall names are `mask_ap`, `mask_ap50`, ..., `box_ar_large`; per class
        `class/<name>/mask_ap` and `class/<name>/box_ap`.
        """
        figures: dict[str, float | None] = {}
        for form, of_form in (("mask", self.mask), ("box", self.box)):
            figures |= {f"{form}_{name}": value for name, value in asdict(of_form).items()}
        for name, of_class in zip(_metric_parts(self.per_class), self.per_class, strict=True):
            figures[f"class/{name}/mask_ap"] = of_class.mask.ap
            figures[f"class/{name}/box_ap"] = of_class.box.ap
        return {name: value for name, value in figures.items() if value is not None}


def write_evaluate_result(path: Path, report: Report) -> None:
    """Write `evaluate_result.json` as PaddleX does: the mask AP alone. Raises OutputError.

    PaddleX states 0 where there was no ground truth, and so does this file.
    """
    result = {"done_flag": True, "metrics": {"AP": report.mask.ap or 0.0}}
    write_text(path, json.dumps(result, indent=2) + "\n")


def _metric_parts(classes: Sequence[ClassFigures]) -> list[str]:
    """Return a distinct part of a metric name for each class: its own name where possible."""
    names = [of_class.class_name for of_class in classes]
    count_of = Counter(names)
    fits = [count_of[name] == 1 and _fits_metric_name(name) for name in names]
    taken = {name for name, fit in zip(names, fits, strict=True) if fit}
    parts = []
    for of_class, name, fit in zip(classes, names, fits, strict=True):
        part = name
        if not fit:
            part = f"{_UNSAFE.sub('_', name)[:_LONGEST_NAME]}-{of_class.category_id}"
            while part in taken:
                part += "_"
            taken.add(part)
        parts.append(part)
    return parts


def _fits_metric_name(name: str) -> bool:
    is_path = name in ("", ".", "..")  # MLflow refuses names that are another path in disguise
    return not is_path and len(name) <= _LONGEST_NAME and _UNSAFE.search(name) is None
