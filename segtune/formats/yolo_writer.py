"""Annotated images as a YOLO segmentation dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from segtune import masks, strict_yaml
from segtune.formats.account import Account
from segtune.formats.annotated import (
    SPLITS,
    AnnotatedDataset,
    AnnotatedImage,
    AnnotatedInstance,
)
from segtune.formats.pictures import distinct_names, in_folder_of_split, put_pictures, wanted
from segtune.outlines import Points, join, trace
from segtune.progress import Reporter

_LEAST_IOU = 0.98  # between a mask and the polygon that stands for it, to pass without a note


def write_yolo(
    dataset: AnnotatedDataset, folder: Path, account: Account, *, link: bool, reporter: Reporter
) -> None:
    """Write a dataset whose instances are sound into an empty folder.

    A line has one polygon. Several rings, and the edges of holes, become one by bridges without
    width, as ultralytics joins them. A crowd cannot be written and is entered as lost.
    """
    images = [
        in_folder_of_split(replace(image, split=image.split or "train")) for image in dataset.images
    ]
    names = distinct_names([wanted(image) for image in images], by_stem=True)
    put_pictures(
        [image.source for image in images], names, folder / "images", link=link, reporter=reporter
    )
    index_of = {name: index for index, name in enumerate(dataset.class_names)}
    with reporter.task("writing YOLO labels", len(images)) as task:
        for image, name in zip(images, names, strict=True):
            lines = [
                line
                for instance in image.instances
                for line in _lines(instance, image, index_of[instance.class_name], account)
            ]
            path = folder / "labels" / PurePosixPath(name).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines), "utf-8")
            task.advance()
    used = {image.split for image in images}
    if "val" not in used:
        account.note("no validation split; ultralytics wants one", "data.yaml")
    content = {split: f"images/{split}" for split in SPLITS if split in used}
    description = content | {"names": {index: name for name, index in index_of.items()}}
    (folder / "data.yaml").write_text(strict_yaml.dump(description), "utf-8")


def _lines(
    instance: AnnotatedInstance, image: AnnotatedImage, index: int, account: Account
) -> list[str]:
    if instance.is_crowd:
        account.lose("crowd", f"{image.place}, {instance.class_name}")
        return []
    polygon = _one_polygon(instance, image, account)
    if polygon is None:
        return []
    account.carry("instances")
    height, width = image.size_hw
    fractions = np.clip(polygon / (width, height), 0, 1)  # (p, 2)
    return [" ".join([str(index), *(f"{value:.9g}" for value in fractions.ravel())]) + "\n"]


def _one_polygon(
    instance: AnnotatedInstance, image: AnnotatedImage, account: Account
) -> Points | None:
    """Return the polygon (p, 2) in pixels that stands for an instance; None when none can."""
    place = f"{image.place}, {instance.class_name}"
    if isinstance(instance.segmentation, list) and len(instance.segmentation) == 1:
        return _points(instance.segmentation[0])
    bitmap = masks.rasterise(instance.segmentation, image.size_hw)
    rings = _disjoint_rings(instance, image.size_hw)
    if rings is None:
        outlines = trace(bitmap)
        rings = [outline.points for outline in outlines]
        if any(outline.is_hole for outline in outlines):
            account.note("hole, joined to the outside by a bridge without width", place)
    if not rings:
        account.lose("mask too small for a polygon", place)
        return None
    if len(rings) > 1:
        account.note("several rings, joined by bridges without width", place)
    polygon = join(rings)
    iou = _iou(masks.rasterise([polygon.ravel().tolist()], image.size_hw), bitmap)
    if iou < _LEAST_IOU:
        account.note("mask that its polygon does not match well", f"{place}: IoU {iou:.3f}")
    return polygon


def _disjoint_rings(
    instance: AnnotatedInstance, size_hw: tuple[int, int]
) -> Sequence[Points] | None:
    """Return the rings of an instance; None where there are none or two share a pixel."""
    if isinstance(instance.segmentation, dict):
        return None
    covered = np.zeros(size_hw, np.bool_)
    for ring in instance.segmentation:
        bitmap = masks.rasterise([ring], size_hw)
        if (bitmap & covered).any():
            return None
        covered |= bitmap
    return [_points(ring) for ring in instance.segmentation]


def _points(ring: Sequence[float]) -> Points:
    return np.reshape(np.asarray(ring, np.float64), (-1, 2))


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())  # the mask has pixels
