from __future__ import annotations

from pathlib import Path

import pytest

from segtune import sources
from segtune.categories import Categories
from segtune.devices import Device
from segtune.errors import DatasetError
from segtune.evaluate import check_same_classes, evaluate_model
from tests.evaluation.blocks import BlockFinder, draw_blocks, predictor_of

CPU = Device("cpu", None)


def open_block_finder(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make every reference open a model that finds blocks, with classes called `names`."""
    categories = [{"id": 3 + place, "name": name} for place, name in enumerate(names)]
    predictor = predictor_of(BlockFinder(), categories)
    monkeypatch.setattr(sources, "open_predictor", lambda *_, **__: predictor)


def test_a_model_that_finds_everything_has_ap_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotation_file = draw_blocks(tmp_path)
    open_block_finder(monkeypatch, "fig", "nut")

    report = evaluate_model("any", annotation_file, tmp_path / "images", device=CPU)

    assert report.mask.ap == pytest.approx(1, abs=1e-12)
    assert [of_class.class_name for of_class in report.per_class] == ["fig", "nut"]


def test_a_model_of_other_classes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotation_file = draw_blocks(tmp_path)
    open_block_finder(monkeypatch, "nut", "fig")

    with pytest.raises(DatasetError, match="label 0 is 'nut' in the model, 'fig' in the dataset"):
        evaluate_model("any", annotation_file, tmp_path / "images", device=CPU)


def test_ids_may_differ_when_names_and_order_agree() -> None:
    check_same_classes(
        Categories([(1, "fig"), (2, "nut")]), Categories([(5, "fig"), (9, "nut")]), Path("val.json")
    )


def test_a_class_too_many_is_named() -> None:
    with pytest.raises(DatasetError, match="label 1 is absent in the model, 'nut' in the dataset"):
        check_same_classes(
            Categories([(1, "fig")]), Categories([(1, "fig"), (2, "nut")]), Path("val.json")
        )


def test_of_many_differences_ten_are_listed() -> None:
    numbers = Categories([(number, str(number)) for number in range(13)])

    with pytest.raises(DatasetError) as caught:
        check_same_classes(numbers, Categories([]), Path("val.json"))

    assert caught.value.problem.count("label") == 10
    assert caught.value.problem.endswith("; 3 more")
    assert caught.value.where == "val.json, categories"
