from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.errors import DatasetError
from segtune.progress import SilentReporter, SilentTask, Task
from tests.drawing import draw_coco, write_json


def test_a_sound_dataset_passes(tmp_path: Path) -> None:
    report = check_dataset(locate_root(draw_coco(tmp_path / "set", train=24)))

    assert report.verdict == "pass"
    assert report.findings == ()
    report.raise_for_errors()


def test_the_report_is_json_with_true_numbers(tiny_coco: Path) -> None:
    report = json.loads(json.dumps(check_dataset(locate_root(tiny_coco)).to_json()))

    assert list(report) == ["verdict", "findings", "statistics", "fingerprint"]
    assert report["verdict"] == "pass"
    train, val = report["statistics"]["train"], report["statistics"]["val"]
    assert (train["num_images"], train["num_instances"], train["num_crowds"]) == (6, 9, 1)
    assert train["num_background_images"] == 1
    assert train["instances_per_class"] == {"disc": 4, "square": 5}
    assert (val["num_images"], val["num_instances"]) == (3, 4)


def test_the_fingerprint_is_that_of_the_annotations(tmp_path: Path) -> None:
    first = check_dataset(locate_root(draw_coco(tmp_path / "first")))
    same = check_dataset(locate_root(draw_coco(tmp_path / "same")))
    other = check_dataset(locate_root(draw_coco(tmp_path / "other", seed=1)))

    assert first.fingerprint == same.fingerprint
    assert first.fingerprint != other.fingerprint


def test_warnings_pass(tiny_coco: Path) -> None:
    file = tiny_coco / "annotations" / "instance_val.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["annotations"][0]["area"] = 0
    write_json(file, document)

    report = check_dataset(locate_root(tiny_coco))

    assert "area-not-positive" in [finding.code for finding in report.findings]
    assert report.verdict == "pass"
    report.raise_for_errors()


def test_errors_of_both_splits_are_raised_as_one(tiny_coco: Path) -> None:
    (tiny_coco / "images" / "train_000.png").unlink()
    (tiny_coco / "images" / "train_001.png").unlink()
    file = tiny_coco / "annotations" / "instance_val.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["annotations"][0]["category_id"] = 12
    write_json(file, document)

    report = check_dataset(locate_root(tiny_coco))

    assert report.verdict == "fail"
    assert report.fingerprint is None
    with pytest.raises(DatasetError, match="the dataset has 3 errors") as caught:
        report.raise_for_errors()
    where = str(caught.value.where)
    assert "instance_train.json, images[0].file_name" in where
    assert "(2 x image-missing)" in where
    assert f"{file}, annotations[0].category_id: 12 (1 x category-unknown)" in where


class CountingReporter(SilentReporter):
    """Counts what is announced and what is done."""

    def __init__(self) -> None:
        self.announced = 0
        self.done = 0

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.announced += total
        reporter = self

        class Counting(SilentTask):
            def advance(self, count: int = 1, **fields: str) -> None:
                reporter.done += count

        yield Counting()


def test_every_decoded_image_is_reported(tiny_coco: Path) -> None:
    reporter = CountingReporter()

    check_dataset(locate_root(tiny_coco), reporter=reporter)

    assert (reporter.announced, reporter.done) == (9, 9)
