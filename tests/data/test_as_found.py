"""Annotation files as their owners published them: every count beside an independent one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segtune.data.checks import check_split
from segtune.data.rules import RULES
from segtune.progress import SilentReporter
from tests.data.independent_counts import COUNTS, Document

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "annotations_as_found"
EXPECTED: dict[str, dict[str, int]] = {
    "coco_val2017_80img_crowd_rle": {
        "image-missing": 80,
        "area-mismatch": 2,  # of crowds, 17 % and 80 % off
        "ring-inside": 1,
        "polygon-repeated-point": 48,
    },
    "dali_coco_2point_polys_iscrowd": {
        "image-missing": 61,
        "polygon-too-short": 3,
        "area-not-positive": 3,
        "instance-two-classes": 1,
        "crowd-polygon": 4,
    },
    "dali_dummy_missing_seg": {
        "image-missing": 64,
        "segmentation-missing": 187,
        "category-unused": 74,
        "images-mostly-empty": 1,
        "area-is-box": 5,
        "polygon-beyond-edge": 2,
        "polygon-self-crossing": 5,
        "box-mismatch": 7,
    },
    "dali_pixelwise_mixed_rle_poly": {"image-missing": 6, "iscrowd-missing": 3},
    "lvis_val_100": {
        "image-missing": 100,
        "category-unused": 1040,
        "instance-two-classes": 6,
        "box-mismatch": 13,  # on three photographs that were turned after their masks were drawn
        "iscrowd-missing": 977,
        "polygon-repeated-point": 1,
    },
    "taco_official_1500img": {
        "image-missing": 1500,
        "annotation-id-duplicate": 2,
        "category-unused": 1,
        "instance-two-classes": 1,
        "polygon-self-crossing": 6,
        "box-beyond-edge": 1,
        "polygon-repeated-point": 12,
    },
}

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"needs the annotation files in {FOLDER}"
)


@pytest.mark.parametrize("name", EXPECTED)
def test_counts_are_those_of_a_second_opinion(name: str, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.json"
    document = Document(json.loads(file.read_text(encoding="utf-8")))

    found = check_split(file, tmp_path, reporter=SilentReporter())

    counts = {finding.code: finding.count for finding in found.findings}
    assert counts == {code: n for code, n in EXPECTED[name].items() if code in RULES}
    second = {code: count(document) for code, count in COUNTS.items() if code in RULES}
    assert {code: number for code, number in second.items() if number} == counts
