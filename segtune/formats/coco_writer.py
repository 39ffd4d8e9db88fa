"""Annotated images as a dataset folder: images/ and annotations/instance_{train,val}.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtune import masks
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance, Split
from segtune.formats.class_names import not_unicode
from segtune.formats.pictures import distinct_names, put_pictures, wanted
from segtune.progress import Reporter

UNSPLIT_NAME = "instances.json"


def annotation_name(split: Split | None) -> str:
    """Return the name of the annotation file of a split, or of a dataset without splits."""
    return UNSPLIT_NAME if split is None else f"instance_{split}.json"


def write_coco(
    dataset: AnnotatedDataset, folder: Path, account: Account, *, link: bool, reporter: Reporter
) -> None:
    """Write a dataset whose instances are sound into an empty folder.

    Boxes and areas are those of the masks. Polygons stay polygons to the last digit.
    """
    names = distinct_names([wanted(image) for image in dataset.images])
    put_pictures(
        [image.source for image in dataset.images],
        names,
        folder / "images",
        link=link,
        reporter=reporter,
    )
    ids = dataset.ids_by_class()
    categories = [
        {"id": number, "name": name}
        for name, number in sorted(ids.items(), key=lambda pair: pair[1])
    ]
    image_ids = _image_ids(dataset.images)
    annotation_ids = iter(_annotation_ids(dataset.images))
    documents: dict[str, dict[str, Any]] = {}
    with reporter.task("measuring masks", len(dataset.images)) as task:
        for image, name, image_id in zip(dataset.images, names, image_ids, strict=True):
            document = documents.setdefault(
                annotation_name(image.split),
                {**dataset.more, "images": [], "annotations": [], "categories": categories},
            )
            document["images"].append(_image_entry(image, name, image_id))
            for instance in image.instances:
                document["annotations"].append(
                    {
                        "id": next(annotation_ids),
                        "image_id": image_id,
                        "category_id": ids[instance.class_name],
                        **_mask_entry(instance, image.size_hw),
                    }
                )
            task.advance()
    account.carry("instances", dataset.num_instances)
    write_documents(folder / "annotations", documents)


def write_documents(folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write COCO files by name into a folder, which is made.

    Raises:
        DatasetError: A text in it cannot be written as UTF-8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        text = json.dumps(document, ensure_ascii=False) + "\n"
        try:
            (folder / name).write_text(text, "utf-8")
        except UnicodeEncodeError as error:
            raise not_unicode(text[max(error.start - 20, 0) : error.end]) from error


def _image_entry(image: AnnotatedImage, name: str, image_id: int) -> dict[str, Any]:
    height, width = image.size_hw
    return {"id": image_id, "file_name": name, "height": height, "width": width, **image.more}


def _mask_entry(instance: AnnotatedInstance, size_hw: tuple[int, int]) -> dict[str, Any]:
    rle = masks.to_rle(instance.segmentation, size_hw)
    if isinstance(instance.segmentation, dict):
        bbox_xywh = [float(side) for side in coco_mask.toBbox(rle)]
        segmentation: Any = dict(rle)
    else:
        bbox_xywh = _box_around(instance.segmentation, size_hw)
        segmentation = [list(ring) for ring in instance.segmentation]
    return {
        "segmentation": segmentation,
        "bbox": bbox_xywh,
        "area": float(coco_mask.area(rle)),
        "iscrowd": int(instance.is_crowd),
    }


def _box_around(rings: Sequence[Sequence[float]], size_hw: tuple[int, int]) -> list[float]:
    """Return left, top, width and height around all rings, cut at the image."""
    points = np.concatenate([np.reshape(np.asarray(ring, np.float64), (-1, 2)) for ring in rings])
    points = np.clip(points, 0, (size_hw[1], size_hw[0]))
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return [left, top, right - left, bottom - top]


def _image_ids(images: Sequence[AnnotatedImage]) -> list[int]:
    kept = [image.image_id for image in images if image.image_id is not None]
    if len(set(kept)) == len(images):
        return kept
    return list(range(1, len(images) + 1))


def _annotation_ids(images: Sequence[AnnotatedImage]) -> list[int]:
    instances = [instance for image in images for instance in image.instances]
    kept = [one.annotation_id for one in instances if one.annotation_id is not None]
    if len(set(kept)) == len(instances):
        return kept
    return list(range(1, len(instances) + 1))
