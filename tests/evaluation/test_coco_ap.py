from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as mask_api

from segtune import masks
from segtune.data.coco import read_coco
from segtune.errors import DatasetError, WeightsError
from segtune.evaluation.coco_ap import CocoEvaluator, evaluate
from segtune.instances import Instances
from tests.evaluation.oracle import (
    Document,
    Result,
    dataset_of,
    instances_by_image,
    oracle,
    rle_of,
    twelve,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "coco_eval_reference"
SIZE_HW = (150, 200)
# Category 9 has no ground truth. Image 4 shows nothing, image 5 gets no prediction.
CATEGORIES = [{"id": 7, "name": "fig"}, {"id": 2, "name": "nut"}, {"id": 9, "name": "plum"}]
EXACT = {"rtol": 0, "atol": 1e-12}


def rectangle(x: float, y: float, width: float, height: float) -> dict[str, Any]:
    """Return box, mask and area of a rectangle; multiples of 1/4 are exact in float32."""
    x, y, width, height = (round(4 * side) / 4 for side in (x, y, width, height))
    ring = [x, y, x + width, y, x + width, y + height, x, y + height]
    rle = rle_of(ring, SIZE_HW)
    return {"bbox": [x, y, width, height], "segmentation": rle, "area": float(mask_api.area(rle))}


def random_rectangle(rng: np.random.Generator) -> dict[str, Any]:
    width, height = np.exp(rng.uniform(np.log(6), np.log(140), 2))
    x, y = rng.uniform(0, SIZE_HW[1] - width), rng.uniform(0, SIZE_HW[0] - height)
    return rectangle(x, y, width, height)


def made_up(seed: int) -> tuple[Document, list[Result]]:
    """Return annotations and results with crowd, ties, empty images and one crowded class."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    results: list[Result] = []
    for image_id in (1, 2, 3, 5, 6, 40):
        for _ in range(5):
            shape, category_id = random_rectangle(rng), int(rng.choice([2, 7]))
            is_crowd = int(rng.random() < 0.15)
            owner = {"image_id": image_id, "category_id": category_id}
            annotations.append({"id": len(annotations) + 1, **shape, **owner, "iscrowd": is_crowd})
            for _ in range(3):
                moved = rectangle(*np.asarray(shape["bbox"]) + rng.uniform(0, 4, 4))
                results.append({**moved, **owner, "score": int(rng.integers(1, 6)) / 8})
        for _ in range(5):
            owner = {"image_id": image_id, "category_id": int(rng.choice([2, 7, 9]))}
            results.append({**random_rectangle(rng), **owner, "score": int(rng.integers(6)) / 8})
    for _ in range(130):  # more than COCO's limit of 100 of one class
        owner = {"image_id": 6, "category_id": 2}
        results.append({**random_rectangle(rng), **owner, "score": int(rng.integers(6)) / 8})
    results = [r for r in results if r["image_id"] != 5]
    images = [
        {"id": i, "file_name": f"{i}.png", "height": SIZE_HW[0], "width": SIZE_HW[1]}
        for i in (40, 1, 2, 3, 4, 5, 6)
    ]
    document = {"images": images, "categories": CATEGORIES, "annotations": annotations}
    for result in results:
        del result["area"]
    return document, results


def as_perfect_results(document: Document) -> list[Result]:
    return [
        {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "bbox": annotation["bbox"],
            "segmentation": annotation["segmentation"],
            "score": 0.75,
        }
        for annotation in document["annotations"]
        if not annotation["iscrowd"]
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_figures_equal_those_of_pycocotools(seed: int) -> None:
    document, results = made_up(seed)

    report = evaluate(dataset_of(document), instances_by_image(document, results))

    for kind, figures in (("segm", report.mask), ("bbox", report.box)):
        np.testing.assert_allclose(twelve(figures), oracle(document, results, kind), **EXACT)


def test_figures_of_a_class_equal_those_of_pycocotools_on_it_alone() -> None:
    document, results = made_up(3)

    report = evaluate(dataset_of(document), instances_by_image(document, results))

    assert [of_class.category_id for of_class in report.per_class] == [2, 7, 9]
    for of_class in report.per_class:
        for kind, figures in (("segm", of_class.mask), ("bbox", of_class.box)):
            expected = oracle(document, results, kind, [of_class.category_id])
            np.testing.assert_allclose(twelve(figures), expected, **EXACT)


def test_a_class_without_ground_truth_has_no_figures() -> None:
    document, results = made_up(0)

    plum = evaluate(dataset_of(document), instances_by_image(document, results)).per_class[2]

    assert plum.class_name == "plum"
    assert plum.mask.ap is None
    assert plum.box.ar100 is None
    assert (plum.num_instances, plum.num_detections) == (
        0,
        sum(result["category_id"] == 9 for result in results),
    )


def test_perfect_predictions_have_ap_1() -> None:
    document, _ = made_up(0)

    report = evaluate(
        dataset_of(document), instances_by_image(document, as_perfect_results(document))
    )

    for figures in (report.mask, report.box):
        assert figures.ap == pytest.approx(1, abs=1e-12)
        assert figures.ar100 == 1


def test_perfect_predictions_of_every_form_of_annotation_have_ap_1(tiny_coco: Path) -> None:
    dataset = read_coco(tiny_coco / "annotations" / "instance_train.json", tiny_coco / "images")
    results = {}
    for record in dataset.images:
        found = [instance for instance in record.instances if not instance.is_crowd]
        results[record.image_id] = Instances(
            np.asarray([instance.box for instance in found], np.float32).reshape(-1, 4),
            np.full(len(found), 0.5, np.float32),
            np.asarray([instance.label for instance in found], np.int64),
            tuple(masks.to_rle(instance.segmentation, record.size_hw) for instance in found),
            record.size_hw,
        )

    report = evaluate(dataset, results)

    assert report.mask.ap == pytest.approx(1, abs=1e-12)
    assert report.box.ap == pytest.approx(1, abs=1e-12)
    assert report.num_instances == report.num_detections == dataset.num_instances - 1  # the crowd


def test_half_of_the_instances_found_have_half_of_the_recall() -> None:
    annotations = [
        {"id": n, "image_id": 1, "category_id": 2, "iscrowd": 0, **rectangle(20 * n, 8, 10, 10)}
        for n in (1, 2)
    ]
    image = {"id": 1, "height": SIZE_HW[0], "width": SIZE_HW[1]}
    document = {"images": [image], "categories": CATEGORIES, "annotations": annotations}

    report = evaluate(
        dataset_of(document), instances_by_image(document, as_perfect_results(document)[:1])
    )

    # Precision is 1 at the recall thresholds 0.00 to 0.50, 51 of the 101, and 0 above.
    assert report.mask.ap == pytest.approx(51 / 101, abs=1e-12)
    assert report.mask.ar100 == 0.5
    assert report.mask.ap_large is None
    assert (report.num_images, report.num_instances, report.num_detections) == (1, 2, 1)


def test_ground_truth_that_nothing_was_found_of_has_ap_0() -> None:
    document, _ = made_up(0)

    report = evaluate(dataset_of(document), {})

    assert report.mask.ap == report.box.ap == report.mask.ar100 == 0
    assert report.num_detections == 0


def test_without_any_ground_truth_there_are_no_figures() -> None:
    document, results = made_up(0)
    document["annotations"] = []

    report = evaluate(dataset_of(document), instances_by_image(document, results))

    assert set(twelve(report.mask)) == set(twelve(report.box)) == {-1.0}
    assert report.num_instances == 0


def test_a_dataset_without_images_has_no_figures() -> None:
    document = {"images": [], "categories": CATEGORIES, "annotations": []}

    assert evaluate(dataset_of(document), {}).mask.ap is None


def test_annotation_id_0_is_an_id_like_any_other() -> None:
    document, _ = made_up(0)
    for annotation in document["annotations"]:
        annotation["id"] -= 1  # pycocotools takes a match with annotation 0 for no match

    report = evaluate(
        dataset_of(document), instances_by_image(document, as_perfect_results(document))
    )

    assert report.mask.ap == pytest.approx(1, abs=1e-12)


def test_one_evaluator_gives_the_same_figures_again_after_other_results() -> None:
    document, results = made_up(0)
    found = instances_by_image(document, results)
    evaluator = CocoEvaluator(dataset_of(document))

    first = evaluator.evaluate(found)
    evaluator.evaluate({})

    assert evaluator.evaluate(found) == first


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    document, results = made_up(0)

    evaluate(dataset_of(document), instances_by_image(document, results))

    assert capfd.readouterr() == ("", "")


def test_an_image_of_another_size_is_an_error_that_names_it() -> None:
    document, _ = made_up(0)
    sideways = Instances.none((SIZE_HW[1], SIZE_HW[0]))

    with pytest.raises(DatasetError, match=r"2\.png is 150 x 200 pixels") as caught:
        evaluate(dataset_of(document), {2: sideways})

    assert caught.value.where == "made_up.json, image 2"


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    document, results = made_up(0)
    results = copy.deepcopy(results)
    results[0]["score"] = float("nan")

    with pytest.raises(WeightsError, match="not numbers"):
        evaluate(dataset_of(document), instances_by_image(document, results))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_of_no_class_is_a_bug(label: int) -> None:
    document, results = made_up(0)
    found = instances_by_image(document, results)
    found[1].labels[0] = label

    with pytest.raises(ValueError, match=r"labels outside 0\.\.2"):
        evaluate(dataset_of(document), found)


def test_results_of_an_unknown_image_are_a_bug() -> None:
    document, _ = made_up(0)

    with pytest.raises(ValueError, match=r"does not have: \[99\]"):
        evaluate(dataset_of(document), {99: Instances.none(SIZE_HW)})


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no COCO reference at {REFERENCE}")
def test_figures_of_the_coco_reference_equal_those_of_pycocotools() -> None:
    annotation_file = REFERENCE / "instances_val2014_100.json"
    document = json.loads(annotation_file.read_text())
    fake_boxes = json.loads((REFERENCE / "instances_val2014_fakebbox100_results.json").read_text())
    fake_masks = json.loads((REFERENCE / "instances_val2014_fakesegm100_results.json").read_text())
    no_mask = {
        image["id"]: rle_of([0.0] * 6, (image["height"], image["width"]))
        for image in document["images"]
    }
    of_boxes = [{**box, "segmentation": no_mask[box["image_id"]]} for box in fake_boxes]
    of_masks = [{**mask, "bbox": [0.0, 0.0, 1.0, 1.0]} for mask in fake_masks]
    evaluator = CocoEvaluator(read_coco(annotation_file, REFERENCE))

    # Some of these made-up boxes meet an IoU threshold exactly, which float32 would decide anew.
    box = evaluator.evaluate(instances_by_image(document, of_boxes, np.float64)).box
    mask = evaluator.evaluate(instances_by_image(document, of_masks, np.float64)).mask

    np.testing.assert_allclose(twelve(box), oracle(document, of_boxes, "bbox"), **EXACT)
    np.testing.assert_allclose(twelve(mask), oracle(document, of_masks, "segm"), **EXACT)
    assert box.ap == pytest.approx(0.505, abs=5e-4)
    assert mask.ap == pytest.approx(0.320, abs=5e-4)
    assert mask.ap50 == pytest.approx(0.562, abs=5e-4)
    assert mask.ap75 == pytest.approx(0.299, abs=5e-4)
