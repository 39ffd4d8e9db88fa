"""The records of a COCO instance file: images with their instances, masks as in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune import masks, processor
from segtune.boxes import are_finite
from segtune.categories import Categories
from segtune.data.annotation_chunk import AnnotationChunk, read_chunks
from segtune.data.annotation_file import collector_paused, read_document
from segtune.data.box_rules import clipped_boxes
from segtune.data.findings import ChunkLog, FindingLog
from segtune.data.fingerprint import fingerprint
from segtune.data.instance_table import (
    InstanceRecord,
    InstanceTable,
    TableSlice,
    starts_of,
    table_of,
)
from segtune.data.mask_rules import check_masks
from segtune.data.reference_rules import NOWHERE, References, note_repeated_ids
from segtune.data.structure_rules import ImageEntry, read_categories, read_images, read_list
from segtune.data.table_builder import InstanceChunk, TableBuilder

__all__ = [
    "CocoDataset",
    "ImageEntry",
    "ImageRecord",
    "InstanceRecord",
    "read_coco",
    "read_sound_records",
]


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
        return len(self.table)

    @cached_property
    def table(self) -> InstanceTable:
        """All instances as columns, one row an instance, in the order of images."""
        return table_of([image.instances for image in self.images])

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything annotated, whatever the order of lists in the file was.

        It covers categories, file names, sizes and instances; neither the pixels of the images
        nor the folder that holds them all.
        """
        return fingerprint(self.categories, self.images, self.table)


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
        entries = read_list(document, "annotations", log) or []
        del document  # so that `_read_table` can let go of the file
        sound = tuple(image for _, image in sorted((images or {}).items()) if image is not None)
        table = _read_table(entries, sound, References(images, names), log)
        starts = table.image_starts.tolist()
        records = tuple(
            ImageRecord(
                image.image_id,
                image.path,
                image.height,
                image.width,
                TableSlice(table, start, stop),
            )
            for image, (start, stop) in zip(sound, pairwise(starts), strict=True)
        )
    return CocoDataset(log.file, Categories((names or {}).items()), records), sound


def _read_table(
    entries: list[Any], images: Sequence[ImageEntry], references: References, log: FindingLog
) -> InstanceTable:
    """Return the sound annotations; `entries` is emptied."""
    sizes_hw = np.array([(image.height, image.width) for image in images], np.int64).reshape(-1, 2)
    builder = TableBuilder()
    ids, places = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    notes = ChunkLog()
    for chunk in read_chunks(entries, notes):
        ids.append(chunk.ids[chunk.has_id])
        places.append(chunk.places[chunk.has_id])
        builder.add(_sound_instances(chunk, sizes_hw, references, notes))
        notes.pass_on(log)
    entries.clear()
    processor.give_back_freed_memory()  # the file, before the points are there twice
    repeated = note_repeated_ids(np.concatenate(ids), np.concatenate(places), log)
    table = builder.build(len(images), repeated)
    processor.give_back_freed_memory()
    return table


def _sound_instances(
    chunk: AnnotationChunk, sizes_hw: NDArray[np.int64], references: References, log: ChunkLog
) -> InstanceChunk:
    """Return the sound annotations of a chunk, after noting what is wrong with the others.

    Args:
        chunk: n annotations.
        sizes_hw: Of all images, (I, 2).
        references: Which ids there are.
        log: Takes what is wrong.
    """
    labels = references.labels(chunk, log)
    image_rows = references.image_rows(chunk, log)
    on_image = np.flatnonzero(image_rows != NOWHERE)
    chunk, labels, image_rows = chunk.take(on_image), labels[on_image], image_rows[on_image]
    own_sizes_hw = sizes_hw[image_rows]  # (n, 2)
    found = check_masks(chunk, own_sizes_hw, log)
    boxes = clipped_boxes(chunk, found.extents, own_sizes_hw, log)  # (n, 4)
    is_sound = are_finite(found.extents) & are_finite(boxes) & (labels != NOWHERE) & chunk.has_id
    rings = found.rings.keep(is_sound[found.rings.rows])
    starts = starts_of(rings.lengths)
    for row in np.flatnonzero(is_sound & np.isnan(chunk.areas)).tolist():
        height, width = own_sizes_hw[row].tolist()
        mask = found.rles.get(row) or rings.polygon(row, starts)
        chunk.areas[row] = masks.area(mask, (height, width))
    new_rows = np.cumsum(is_sound) - 1
    return InstanceChunk(
        places=chunk.places[is_sound],
        annotation_ids=chunk.ids[is_sound],
        image_rows=image_rows[is_sound],
        labels=labels[is_sound],
        boxes=boxes[is_sound],
        areas=chunk.areas[is_sound],
        is_crowd=chunk.is_crowd[is_sound],
        num_rings=np.bincount(rings.rows, minlength=len(chunk))[is_sound],
        ring_lengths=rings.lengths // 2,
        points=rings.coordinates.reshape(-1, 2),
        rles={
            int(new_rows[row]): _compact(rle) for row, rle in found.rles.items() if is_sound[row]
        },
    )


def _compact(rle: dict[str, Any]) -> dict[str, Any]:
    counts = rle["counts"]
    if isinstance(counts, list):
        counts = np.array(counts, np.uint32)
    return {"size": rle["size"], "counts": counts}
