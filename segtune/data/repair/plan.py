"""All repairs in their order, on the documents of both splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from segtune import exif
from segtune.data.image_paths import ImageFolder
from segtune.data.layout import SplitFiles
from segtune.data.repair.agreement import repair_agreement
from segtune.data.repair.annotation_ids import repair_annotation_ids
from segtune.data.repair.change import Change
from segtune.data.repair.document import Entry, SplitDocument, read_split
from segtune.data.repair.file_names import name_on_disk, repair_file_names
from segtune.data.repair.image_sizes import repair_image_sizes
from segtune.data.repair.iscrowd import repair_iscrowd
from segtune.data.repair.masks_of_entries import UsableMask, usable_mask
from segtune.data.repair.pictures import PictureUse, by_image_id, read_pictures
from segtune.data.repair.repeats import drop_equal_annotations, drop_equal_entries, join_images
from segtune.data.repair.rings import repair_rings
from segtune.data.repair.split_categories import repair_categories
from segtune.data.repair.whole_numbers import repair_numbers
from segtune.progress import Reporter


@dataclass(frozen=True)
class RepairPlan:
    """What the repaired copy of a dataset consists of."""

    train: bytes
    """Content of the annotation file."""
    val: bytes
    images: tuple[str, ...]
    """Files to copy, relative to the image folder, that are there."""
    turned: dict[str, bytes]
    """New content of those whose EXIF rotation is switched off."""
    changes: tuple[Change, ...]
    """Those of train, then those of val."""


def plan_repairs(files: SplitFiles, *, reporter: Reporter) -> RepairPlan:
    """Return what a repaired copy would be; nothing is written.

    Raises:
        DatasetError: An annotation file is no JSON object.
    """
    train, val = read_split(files.train), read_split(files.val)
    folder = ImageFolder(files.images_root)
    for split in (train, val):
        repair_numbers(split)
        drop_equal_entries(split, "images", "image-repeated")
        drop_equal_entries(split, "categories", "category-repeated")
        repair_file_names(split, folder)
        repair_rings(split)
        repair_iscrowd(split)
    repair_categories(train, val)
    uses = read_pictures((train, val), files.images_root, reporter=reporter)
    turned = _turn(uses, repair_image_sizes(uses), files)
    for split in (train, val):
        join_images(split)
        _repair_annotations(split, reporter)
        repair_annotation_ids(split)
    return RepairPlan(
        train.content(),
        val.content(),
        tuple(sorted(set(_images_there((train, val), folder)))),
        turned,
        (*train.changes, *val.changes),
    )


def _repair_annotations(split: SplitDocument, reporter: Reporter) -> None:
    measured = []
    entries = list(split.entries("annotations"))
    with reporter.task(f"Measuring masks of {split.file.name}", total=len(entries)) as task:
        for entry, mask in _usable_masks(split, entries):
            if mask is not None:
                repair_agreement(split, entry, mask)
                measured.append((entry, mask))
            task.advance()
    drop_equal_annotations(split, measured)


def _usable_masks(
    split: SplitDocument, entries: Iterable[Entry]
) -> Iterator[tuple[Entry, UsableMask | None]]:
    """Yield annotations with their masks; None where image, size or mask cannot be used."""
    images = by_image_id(split.entries("images"))
    for entry in entries:
        image_id = entry.whole("image_id")
        candidates = [] if image_id is None else images.get(image_id, [])
        size_hw = candidates[0].size_hw if len(candidates) == 1 else None
        segmentation = entry.values.get("segmentation")
        yield entry, None if size_hw is None else usable_mask(segmentation, size_hw)


def _turn(uses: list[PictureUse], names: set[str], files: SplitFiles) -> dict[str, bytes]:
    """Return new contents of pictures by name, after noting the change at every entry."""
    turned = {}
    for use in uses:
        if use.name not in names:
            continue
        before = (files.images_root / use.name).read_bytes()
        after = exif.without_orientation(before)
        if after is not None:
            turned[use.name] = after
            was = exif.orientation(before)
            use.split.note(f"{use.entry.pointer}.file_name", "exif-orientation", was, 1)
    return turned


def _images_there(splits: Iterable[SplitDocument], folder: ImageFolder) -> Iterator[str]:
    for split in splits:
        for entry in split.entries("images"):
            name = name_on_disk(entry.values.get("file_name"), folder)
            if name is not None and (folder.root / name).is_file():
                yield name
