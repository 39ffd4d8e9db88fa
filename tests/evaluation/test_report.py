from __future__ import annotations

import json
from dataclasses import astuple, fields, replace
from pathlib import Path

import pytest

from segtune.evaluation.report import (
    MAIN_METRIC,
    ClassFigures,
    Figures,
    Report,
    write_evaluate_result,
)

HALVES = Figures(*[0.5] * 12)
NOTHING = Figures(*[None] * 12)


def report_of(*class_names: str, mask: Figures = HALVES) -> Report:
    per_class = tuple(
        ClassFigures(name, 10 + place, HALVES, HALVES, 3, 4)
        for place, name in enumerate(class_names)
    )
    return Report(mask, HALVES, per_class, 2, 3 * len(per_class), 4 * len(per_class))


def class_parts(report: Report) -> list[str]:
    names = [name for name in report.to_metrics() if name.endswith("/mask_ap")]
    return [name.removeprefix("class/").removesuffix("/mask_ap") for name in names]


def test_metrics_are_the_twelve_figures_of_masks_and_boxes_and_ap_per_class() -> None:
    metrics = report_of("fig").to_metrics()

    assert list(metrics)[:3] == ["mask_ap", "mask_ap50", "mask_ap75"]
    assert list(metrics)[23:] == ["box_ar_large", "class/fig/mask_ap", "class/fig/box_ap"]
    assert metrics[MAIN_METRIC] == 0.5


def test_a_metric_without_ground_truth_is_left_out() -> None:
    metrics = report_of(mask=replace(HALVES, ap_small=None)).to_metrics()

    assert "mask_ap_small" not in metrics
    assert len(metrics) == 23


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        pytest.param(
            ["fig", "无花果", "Nuss-Art 2.b"], ["fig", "无花果", "Nuss-Art 2.b"], id="kept"
        ),
        pytest.param(["a/b", "a_b"], ["a_b-10", "a_b"], id="replaced"),
        pytest.param(["a/b", "a:b"], ["a_b-10", "a_b-11"], id="both replaced"),
        pytest.param(["a/b", "a_b-10"], ["a_b-10_", "a_b-10"], id="the replacement is taken"),
        pytest.param(["fig", "fig"], ["fig-10", "fig-11"], id="one name twice"),
        pytest.param(["..", "."], ["..-10", ".-11"], id="paths"),
        pytest.param([""], ["-10"], id="no name"),
        pytest.param(["x" * 300], ["x" * 200 + "-10"], id="too long"),
        pytest.param([], [], id="no class"),
    ],
)
def test_class_names_become_distinct_metric_names_that_mlflow_takes(
    names: list[str], parts: list[str]
) -> None:
    from mlflow.utils.validation import _validate_metric_name

    report = report_of(*names)

    assert class_parts(report) == parts
    for name in report.to_metrics():
        _validate_metric_name(name)
        assert len(name) <= 250


def test_json_has_every_figure_and_null_without_ground_truth() -> None:
    report = report_of("无花果", mask=NOTHING)

    written = json.loads(json.dumps(report.to_json()))

    assert written == report.to_json()
    assert written["mask"] == {field.name: None for field in fields(Figures)}
    assert written["per_class"][0]["class_name"] == "无花果"
    assert list(written["per_class"][0]["box"].values()) == list(astuple(HALVES))
    assert (written["num_images"], written["num_instances"], written["num_detections"]) == (2, 3, 4)


@pytest.mark.parametrize(
    ("figures", "ap"),
    [
        pytest.param(HALVES, 0.5, id="figures"),
        pytest.param(NOTHING, 0.0, id="no ground truth is 0, as in PaddleX"),
    ],
)
def test_evaluate_result_has_the_shape_of_paddlex(
    tmp_path: Path, figures: Figures, ap: float
) -> None:
    write_evaluate_result(tmp_path / "evaluate_result.json", report_of(mask=figures))

    written = json.loads((tmp_path / "evaluate_result.json").read_text())
    assert written == {"done_flag": True, "metrics": {"AP": ap}}
