"""Annotated images as LabelMe files beside the pictures."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from segtune import masks
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance
from segtune.formats.labelme_picture import mask_to_text
from segtune.formats.labelme_shapes import CROWD_FLAG
from segtune.formats.pictures import distinct_names, in_folder_of_split, put_pictures, wanted
from segtune.progress import Reporter

_FORMAT_VERSION = "5.5.0"  # of LabelMe; has shapes of type mask


def write_labelme(
    dataset: AnnotatedDataset, folder: Path, account: Account, *, link: bool, reporter: Reporter
) -> None:
    """Write a dataset whose instances are sound into an empty folder.

    Each ring is a polygon, and the rings of one instance share a `group_id`. An RLE is a shape of
    type mask, which keeps every pixel, holes included. A crowd has the flag `iscrowd`. Splits are
    folders. `labels.txt` lists the classes, for `labelme --labels`.
    """
    names = distinct_names(
        [wanted(in_folder_of_split(image)) for image in dataset.images], by_stem=True
    )
    put_pictures(
        [image.source for image in dataset.images], names, folder, link=link, reporter=reporter
    )
    with reporter.task("writing LabelMe files", len(dataset.images)) as task:
        for image, name in zip(dataset.images, names, strict=True):
            path = folder / PurePosixPath(name).with_suffix(".json")
            document = _document(image, PurePosixPath(name).name)
            path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
            task.advance()
    account.carry("instances", dataset.num_instances)
    (folder / "labels.txt").write_text(
        "".join(f"{name}\n" for name in dataset.class_names), "utf-8"
    )


def _document(image: AnnotatedImage, name: str) -> dict[str, Any]:
    shapes: list[dict[str, Any]] = []
    group = 0
    for instance in image.instances:
        if isinstance(instance.segmentation, dict):
            shapes.append(_mask_shape(instance, image.size_hw))
            continue
        several = len(instance.segmentation) > 1
        group += several
        for ring in instance.segmentation:
            points = [[float(x), float(y)] for x, y in zip(ring[0::2], ring[1::2], strict=True)]
            shapes.append(_shape(instance, "polygon", points, group if several else None))
    return {
        "version": _FORMAT_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": image.size_hw[0],
        "imageWidth": image.size_hw[1],
    }


def _mask_shape(instance: AnnotatedInstance, size_hw: tuple[int, int]) -> dict[str, Any]:
    bitmap = masks.rasterise(instance.segmentation, size_hw)
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    top, bottom, left, right = (int(one) for one in (rows[0], rows[-1], columns[0], columns[-1]))
    corners = [[float(left), float(top)], [float(right), float(bottom)]]  # both inside, as LabelMe
    shape = _shape(instance, "mask", corners, None)
    return shape | {"mask": mask_to_text(bitmap[top : bottom + 1, left : right + 1])}


def _shape(
    instance: AnnotatedInstance, kind: str, points: list[list[float]], group: int | None
) -> dict[str, Any]:
    return {
        "label": instance.class_name,
        "points": points,
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": {CROWD_FLAG: True} if instance.is_crowd else {},
    }
