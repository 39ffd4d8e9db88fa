"""A few pictures of every class, with what is labelled as it drawn over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.categories import Categories
from segtune.dataset_report.inline import data_uri, shrink
from segtune.dataset_report.loose import LooseAnnotation, LooseSplit
from segtune.dataset_report.photographs import Photographs
from segtune.dataset_report.shapes import Shape
from segtune.draw import Tags, overlay
from segtune.instances import Instances

PAGE_SAMPLES = 48
"""Pictures of all classes together; about 40 kB each."""
MOST_PER_SPLIT = 2
"""Pictures of one class."""
_LONGEST_PX = 480
_TRIES = 4  # images looked at for each picture, when some cannot be read


@dataclass(frozen=True)
class Sample:
    """One image with the instances of one class."""

    split: str
    source: str
    alt: str
    file_name: str
    num_instances: int


@dataclass(frozen=True)
class ClassSamples:
    """The pictures of one class; none when it has no instance that can be drawn."""

    name: str
    num_instances: int
    samples: tuple[Sample, ...]


def class_samples(
    splits: Mapping[str, LooseSplit], photographs: Photographs
) -> tuple[list[ClassSamples], int]:
    """Return the samples of as many classes as the page has room for, and how many there are.

    The classes with the most instances are taken, in the order of the file.
    """
    names = list(dict.fromkeys(n for split in splits.values() for n in split.class_names.values()))
    categories = Categories(enumerate(names))
    where = {split: _images_by_class(each) for split, each in splits.items()}
    totals = {
        name: sum(len(rows) for images in where.values() for rows in images.get(name, {}).values())
        for name in names
    }
    most_classes = PAGE_SAMPLES // (2 * MOST_PER_SPLIT) if len(names) <= 12 else PAGE_SAMPLES // 2
    per_split = MOST_PER_SPLIT if len(names) <= most_classes else 1
    largest = sorted(names, key=lambda name: -totals[name])[:most_classes]
    chosen = [name for name in names if name in set(largest)]
    found = []
    for name in chosen:
        samples: list[Sample] = []
        for title, split in splits.items():
            images = where[title].get(name, {})
            samples += _of_class(title, split, images, name, categories, photographs, per_split)
        found.append(ClassSamples(name, totals[name], tuple(samples)))
    return found, len(names)


def draw_instances(
    image: NDArray[np.uint8],
    annotations: list[LooseAnnotation],
    categories: Categories,
    *,
    longest_px: int,
    tags: Tags,
) -> tuple[NDArray[np.uint8], int]:
    """Return a smaller copy of an image (H, W, 3) with instances drawn in, and how many it has.

    Args:
        image: RGB.
        annotations: What to draw; those without a mask on the image are left out.
        categories: Their classes; an annotation of another class is left out.
        longest_px: Most pixels of the copy's longer side.
        tags: What the labels say.
    """
    small = shrink(image, longest_px)
    size_hw = (small.shape[0], small.shape[1])
    label_of = {category.name: category.label for category in categories}
    bitmaps, labels = [], []
    for annotation in annotations:
        bitmap = _bitmap(annotation.shape, (image.shape[0], image.shape[1]), size_hw)
        if annotation.class_name in label_of and bitmap.any():
            bitmaps.append(bitmap)
            labels.append(label_of[annotation.class_name])
    if not bitmaps:
        return small, 0
    stack = np.stack(bitmaps)
    instances = Instances(
        boxes=np.array([_box(bitmap) for bitmap in stack], np.float32),
        scores=np.ones(len(stack), np.float32),
        labels=np.array(labels, np.int64),
        rles=masks.encode_all(stack),
        size_hw=size_hw,
    )
    return overlay(small, instances, categories, tags=tags), len(stack)


def _of_class(
    title: str,
    split: LooseSplit,
    images: Mapping[int, list[int]],
    name: str,
    categories: Categories,
    photographs: Photographs,
    most: int,
) -> list[Sample]:
    found: list[Sample] = []
    for index in _spread(list(images), most * _TRIES):
        if len(found) == most:
            break
        image = split.image(index)
        picture = "" if image is None else photographs.read(image)
        if image is None or isinstance(picture, str):
            continue
        annotations = [split.annotation(row) for row in images[index]]
        known = [annotation for annotation in annotations if annotation is not None]
        drawn, number = draw_instances(
            picture, known, categories, longest_px=_LONGEST_PX, tags="none"
        )
        if number:
            noun = "instance" if number == 1 else "instances"
            alt = f"{image.file_name} with {number} {noun} of {name} drawn in"
            found.append(Sample(title, data_uri(drawn), alt, image.file_name, number))
    return found


def _images_by_class(split: LooseSplit) -> dict[str, dict[int, list[int]]]:
    """Return the annotations of each image by class."""
    found: dict[str, dict[int, list[int]]] = {}
    for image, rows in split.annotations_of.items():
        for row in rows:
            annotation = split.annotation(row)
            if annotation is not None and annotation.class_name is not None:
                found.setdefault(annotation.class_name, {}).setdefault(image, []).append(row)
    return found


def _spread(values: list[int], most: int) -> list[int]:
    """Return up to `most` values, evenly from the whole list."""
    if len(values) <= most:
        return values
    return [values[number * len(values) // most] for number in range(most)]


def _bitmap(shape: Shape, size_hw: tuple[int, int], small_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask of an image of `size_hw` as bitmap of its smaller copy."""
    small = np.zeros(small_hw, np.uint8)
    scale = np.array([small_hw[1] / size_hw[1], small_hw[0] / size_hw[0]])
    rings = [np.rint(ring * scale - 0.5).astype(np.int32) for ring in shape.rings if len(ring) > 2]
    for ring in rings:
        cv2.fillPoly(small, [ring], 1)
    if shape.bitmap is not None and shape.bitmap.shape == size_hw:
        resized = cv2.resize(
            shape.bitmap.astype(np.float32), small_hw[::-1], interpolation=cv2.INTER_AREA
        )
        small |= (resized > 0.5).astype(np.uint8)
    return small.view(np.bool_)


def _box(bitmap: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(bitmap.view(np.uint8))
    return left, top, left + width, top + height
