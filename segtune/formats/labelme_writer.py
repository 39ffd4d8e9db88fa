"""Annotated images as LabelMe files beside the pictures."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from segtune import labelme, masks
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance
from segtune.formats.labelme_shapes import CROWD_FLAG
from segtune.formats.pictures import distinct_names, in_folder_of_split, put_pictures, wanted
from segtune.progress import Reporter


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
            rle = masks.to_rle(instance.segmentation, image.size_hw)
            shapes.append(_shape(instance, labelme.mask_keys(rle), None))
            continue
        several = len(instance.segmentation) > 1
        group += several
        for ring in instance.segmentation:
            polygon = labelme.polygon_keys(zip(ring[0::2], ring[1::2], strict=True))
            shapes.append(_shape(instance, polygon, group if several else None))
    return labelme.document(shapes, name, image.size_hw)


def _shape(
    instance: AnnotatedInstance, geometry: dict[str, Any], group: int | None
) -> dict[str, Any]:
    return {
        "label": instance.class_name,
        "group_id": group,
        "description": "",
        "flags": {CROWD_FLAG: True} if instance.is_crowd else {},
        **geometry,
    }
