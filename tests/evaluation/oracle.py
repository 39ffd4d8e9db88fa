"""What pycocotools says of made-up annotations and results, to compare segtune with."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segtune.categories import Categories
from segtune.data.coco import CocoDataset, ImageRecord, InstanceRecord
from segtune.evaluation.report import Figures
from segtune.instances import Instances
from segtune.masks import Rle

Document = dict[str, Any]  # as in a COCO file
Result = dict[str, Any]  # a COCO result record with bbox and segmentation


def oracle(
    document: Document, results: Sequence[Result], kind: str, category_ids: list[int] | None = None
) -> list[float]:
    """Return pycocotools' twelve figures; -1 stands for no ground truth.

    Results lose the form that is not asked for, so that their area is that of the other.
    """
    unused = {"bbox": "segmentation", "segm": "bbox"}[kind]
    records = [{k: v for k, v in result.items() if k != unused} for result in results]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(document)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(copy.deepcopy(records)), kind)
        evaluation.params.catIds = category_ids or evaluation.params.catIds
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def twelve(figures: Figures) -> list[float]:
    """Return the figures in pycocotools' order and with its -1."""
    return [-1.0 if value is None else value for value in astuple(figures)]


def dataset_of(document: Document) -> CocoDataset:
    """Return the dataset of a COCO document whose pictures are never looked at."""
    categories = Categories.from_json(document["categories"])
    images = sorted(document["images"], key=lambda image: image["id"])
    return CocoDataset(
        Path("made_up.json"),
        categories,
        tuple(
            ImageRecord(
                image["id"],
                Path(f"{image['id']}.png"),
                image["height"],
                image["width"],
                tuple(
                    _instance_of(annotation, categories)
                    for annotation in document["annotations"]
                    if annotation["image_id"] == image["id"]
                ),
            )
            for image in images
        ),
    )


def instances_by_image(
    document: Document, results: Sequence[Result], dtype: type[np.floating[Any]] = np.float32
) -> dict[int, Instances]:
    """Return result records as instances; images without any have no entry."""
    categories = Categories.from_json(document["categories"])
    size_of = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    found: dict[int, list[Result]] = {}
    for result in results:
        found.setdefault(result["image_id"], []).append(result)
    return {
        image_id: Instances(
            np.asarray([_xyxy(result["bbox"]) for result in of_image], dtype),
            np.asarray([result["score"] for result in of_image], dtype),
            np.asarray([categories.label_of(r["category_id"]) for r in of_image], np.int64),
            tuple(result["segmentation"] for result in of_image),
            size_of[image_id],
        )
        for image_id, of_image in found.items()
    }


def rle_of(ring: list[float], size_hw: tuple[int, int]) -> Rle:
    """Return the RLE of one ring."""
    encoded = mask_api.frPyObjects([ring], *size_hw)[0]
    return Rle(size=list(size_hw), counts=encoded["counts"].decode())


def _instance_of(annotation: dict[str, Any], categories: Categories) -> InstanceRecord:
    return InstanceRecord(
        annotation_id=annotation["id"],
        label=categories.label_of(annotation["category_id"]),
        box=_xyxy(annotation["bbox"]),
        segmentation=annotation["segmentation"],
        is_crowd=bool(annotation["iscrowd"]),
        area=annotation["area"],
    )


def _xyxy(bbox: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = bbox
    return x, y, x + width, y + height
