"""The records of a COCO instance file: images with their instances, masks as in the file."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segtune import masks
from segtune.boxes import are_finite
from segtune.categories import Categories
from segtune.data.annotation_file import collector_paused, read_document
from segtune.data.box_rules import clipped_boxes
from segtune.data.findings import FindingLog
from segtune.data.instance_table import InstanceRecord, InstanceTable, table_of
from segtune.data.mask_rules import mask_extents
from segtune.data.structure_rules import (
    AnnotationEntry,
    ImageEntry,
    read_annotations,
    read_categories,
    read_images,
)

__all__ = [
    "CocoDataset",
    "ImageEntry",
    "ImageRecord",
    "InstanceRecord",
    "read_coco",
    "read_sound_records",
]

_CHUNK = 8192  # annotations measured at a time, so that their points fit into memory once more


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image and what is annotated on it, in ascending annotation id; perhaps nothing."""

    image_id: int
    path: Path
    height: int
    width: int
    instances: Sequence[InstanceRecord]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels, EXIF rotation applied."""
        return (self.height, self.width)


@dataclass(frozen=True)
class CocoDataset:
    """One split: its categories and its images in ascending image id."""

    annotation_file: Path
    categories: Categories
    images: tuple[ImageRecord, ...]

    @property
    def num_instances(self) -> int:
        """How many objects are annotated, crowds included."""
        return sum(len(image.instances) for image in self.images)

    @cached_property
    def table(self) -> InstanceTable:
        """All instances as columns, one row an instance, in the order of images."""
        return table_of([image.instances for image in self.images])

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything annotated, whatever the order of lists in the file was.

        It covers categories, file names, sizes and instances; neither the pixels of the images
        nor the folder that holds them all.
        """
        digest = hashlib.sha256(json.dumps(self.categories.to_json()).encode())
        if self.images:
            common = os.path.commonpath([image.path.parent.absolute() for image in self.images])
        for image in self.images:
            name = image.path.absolute().relative_to(common).as_posix()
            head = [image.image_id, name, image.height, image.width, len(image.instances)]
            digest.update(json.dumps(head).encode())
            for instance in image.instances:
                for part in _instance_bytes(instance):
                    digest.update(part)
        return digest.hexdigest()


def read_coco(annotation_file: Path, images_root: Path) -> CocoDataset:
    """Return the records of a COCO file.

    Args:
        annotation_file: JSON with `images`, `annotations` and `categories`.
        images_root: Folder that `file_name` is relative to; the images are not opened.

    Raises:
        DatasetError: The first fault of the file, with place and remedy.
    """
    log = FindingLog(annotation_file)
    dataset, _ = read_sound_records(images_root, log)
    log.raise_first_error()
    return dataset


def read_sound_records(
    images_root: Path, log: FindingLog
) -> tuple[CocoDataset, tuple[ImageEntry, ...]]:
    """Return what is sound of the file of `log`, after noting everything that is not.

    The image entries say where in the file the images of the dataset stand, in the same order.
    """
    with collector_paused():
        document = read_document(log)
        if document is None:
            return CocoDataset(log.file, Categories(()), ()), ()
        names = read_categories(document, log)
        images = read_images(document, images_root, log)
        annotations = read_annotations(document, images, names, log)
        categories = Categories((names or {}).items())
        instances: dict[int, list[InstanceRecord]] = {}
        for start in range(0, len(annotations), _CHUNK):
            chunk = annotations[start : start + _CHUNK]
            for image_id, instance in _instances(chunk, categories, log):
                instances.setdefault(image_id, []).append(instance)
    sound = [image for _, image in sorted((images or {}).items()) if image is not None]
    records = (_image_record(image, instances.get(image.image_id, [])) for image in sound)
    return CocoDataset(log.file, categories, tuple(records)), tuple(sound)


def _image_record(image: ImageEntry, instances: list[InstanceRecord]) -> ImageRecord:
    ordered = sorted(instances, key=lambda instance: instance.annotation_id)
    return ImageRecord(image.image_id, image.path, image.height, image.width, tuple(ordered))


def _instances(
    entries: list[AnnotationEntry], categories: Categories, log: FindingLog
) -> Iterator[tuple[int, InstanceRecord]]:
    """Yield image id and record of every sound annotation."""
    extents = mask_extents(entries, log)  # (n, 4)
    boxes = clipped_boxes(entries, extents, log)  # (n, 4)
    has_mask_and_box = are_finite(extents) & are_finite(boxes)
    for entry, box, is_sound in zip(entries, boxes.tolist(), has_mask_and_box, strict=True):
        if not is_sound or entry.annotation_id is None or entry.category_id is None:
            continue
        area = entry.area
        if area is None:
            area = masks.area(entry.segmentation, (entry.image.height, entry.image.width))
        label = categories.label_of(entry.category_id)
        yield (
            entry.image.image_id,
            InstanceRecord(
                entry.annotation_id, label, tuple(box), entry.segmentation, entry.is_crowd, area
            ),
        )


def _instance_bytes(instance: InstanceRecord) -> Iterator[bytes]:
    """Yield all of an instance in a form that no other instance has."""
    head = (instance.annotation_id, instance.label, instance.is_crowd)
    yield struct.pack("<qq?", *head)
    yield array("d", (*instance.box, instance.area)).tobytes()
    if not isinstance(instance.segmentation, dict):
        yield struct.pack("<cq", b"p", len(instance.segmentation))
        for ring in instance.segmentation:
            yield struct.pack("<q", len(ring))
            yield array("d", ring).tobytes()
        return
    counts = instance.segmentation["counts"]
    if isinstance(counts, str):
        yield struct.pack("<cq", b"c", len(counts)) + counts.encode("ascii")
    else:
        yield struct.pack("<cq", b"u", len(counts)) + array("q", counts).tobytes()
