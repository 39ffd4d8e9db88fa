from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from segtune.data.coco import CocoDataset, read_coco
from segtune.errors import DatasetError
from segtune.evaluation.coco_ap import CocoEvaluator
from segtune.evaluation.run import evaluate_predictor
from segtune.progress import SilentReporter
from tests.evaluation.blocks import SIZE_HW, BlockFinder, draw_blocks, predictor_of


class CountingReporter(SilentReporter):
    """Remembers totals and counts."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[CountingReporter]:
        self.total = total
        yield self

    def advance(self, count: int = 1, **fields: str) -> None:
        self.done += count


@pytest.fixture
def blocks(tmp_path: Path) -> CocoDataset:
    return read_coco(draw_blocks(tmp_path), tmp_path / "images")


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_network_that_finds_everything_has_ap_1(blocks: CocoDataset, batch_size: int) -> None:
    reporter, backend = CountingReporter(), BlockFinder()

    report = evaluate_predictor(
        predictor_of(backend), blocks, batch_size=batch_size, reporter=reporter
    )

    assert report.mask.ap == pytest.approx(1, abs=1e-12)
    assert report.box.ap == pytest.approx(1, abs=1e-12)
    assert (report.num_images, report.num_instances, report.num_detections) == (3, 6, 6)
    assert (reporter.total, reporter.done) == (3, 3)
    assert sorted(backend.batch_sizes) == {1: [1, 1, 1], 2: [1, 2]}[batch_size]


def test_rows_of_low_score_count_as_well(blocks: CocoDataset) -> None:
    # The nuts have a score of 0.25, below the threshold that predictions are shown from.
    report = evaluate_predictor(
        predictor_of(BlockFinder([2])), blocks, batch_size=1, reporter=SilentReporter()
    )

    assert [of_class.mask.ar100 for of_class in report.per_class] == [0, 1]


def test_a_network_that_finds_nothing_has_ap_0(blocks: CocoDataset) -> None:
    report = evaluate_predictor(
        predictor_of(BlockFinder([])), blocks, batch_size=2, reporter=SilentReporter()
    )

    assert report.mask.ap == report.box.ap == 0


def test_a_given_evaluator_is_used(blocks: CocoDataset) -> None:
    evaluator = CocoEvaluator(blocks)

    first, second = (
        evaluate_predictor(
            predictor_of(BlockFinder(found)),
            blocks,
            batch_size=1,
            reporter=SilentReporter(),
            evaluator=evaluator,
        )
        for found in ([0], [0, 1, 2])
    )

    assert first.num_detections == 2
    assert second.mask.ap == pytest.approx(1, abs=1e-12)


def test_a_picture_of_another_size_stops_the_evaluation_at_once(tmp_path: Path) -> None:
    annotation_file = draw_blocks(tmp_path)
    document = json.loads(annotation_file.read_text())
    dataset = read_coco(annotation_file, tmp_path / "images")
    first = tmp_path / "images" / document["images"][0]["file_name"]
    Image.new("RGB", SIZE_HW).save(first)  # height and width exchanged, since the file was read
    reporter = CountingReporter()

    with pytest.raises(DatasetError, match=r"1\.png is 48 x 64 pixels"):
        evaluate_predictor(predictor_of(BlockFinder()), dataset, batch_size=1, reporter=reporter)

    assert reporter.done == 0
