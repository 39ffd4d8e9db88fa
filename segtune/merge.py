"""The use case `merge`: several datasets as one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segtune.files import atomic_folder
from segtune.formats.account import Account
from segtune.formats.class_names import note_near_equal, refuse_unknown
from segtune.formats.coco_document import (
    CocoDocument,
    ListedImage,
    read_coco_document,
    refuse_missing_pictures,
)
from segtune.formats.coco_files import find_coco_files
from segtune.formats.coco_pool import put_listed_images, with_distinct_ids, with_distinct_names
from segtune.formats.coco_writer import annotation_name, write_documents
from segtune.formats.duplicates import identical_files
from segtune.formats.source_paths import refuse_inside
from segtune.progress import Reporter, SilentReporter

_SILENT = SilentReporter()
SAME_SPLIT = "same picture several times in one split"
BOTH_SPLITS = "same picture in several splits, which makes figures look too good"


@dataclass(frozen=True)
class MergeSummary:
    """What a merge made."""

    output: Path
    images_per_source: dict[str, int]
    images_per_split: dict[str, int]
    """By annotation file."""
    instances_per_class: dict[str, int]
    account: Account
    """Its notes say what was given a new id or name, and which pictures are the same."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "output": str(self.output),
            "images_per_source": self.images_per_source,
            "images_per_file": self.images_per_split,
            "instances_per_class": self.instances_per_class,
            "notes": [entry.to_json() for entry in self.account.notes],
        }


def merge(
    sources: Sequence[Path],
    output: Path,
    *,
    renames: Mapping[str, str] | None = None,
    link: bool = False,
    reporter: Reporter = _SILENT,
) -> MergeSummary:
    """Write several datasets as one to a new folder; train joins train, val joins val.

    Classes are joined by name. The first dataset keeps its ids; later ones keep theirs where
    they are free. Pictures of one name are kept apart. All other keys are kept.

    Args:
        sources: Dataset folders or COCO files.
        output: The folder to make.
        renames: New class names by old ones, in all datasets.
        link: Whether pictures are linked instead of copied.
        reporter: Told about every image.

    Raises:
        DatasetError: A source cannot be read, or a class to rename is in none.
        OutputError: `output` exists, lies inside a source, or cannot be written.
    """
    account = Account()
    for source in sources:
        refuse_inside(output, source)
    with atomic_folder(output) as folder:
        documents: list[CocoDocument] = []
        folders: list[str] = []
        for source in sources:
            for file in find_coco_files(source):
                document = read_coco_document(file)
                refuse_missing_pictures(document.images)
                documents.append(document)
                folders += [source.stem] * len(document.images)
        categories, images = _join(documents, renames or {}, account)
        licenses, images = _join_licenses(documents, images)
        images = _name_and_number(images, folders, account)
        _note_duplicates(images, account, reporter)
        _write(folder, documents, categories, licenses, images)
        put_listed_images(images, folder, link=link, reporter=reporter)
    names = {category["id"]: category["name"] for category in categories}
    per_class = dict.fromkeys(names.values(), 0)
    for image in images:
        for annotation in image.annotations:
            per_class[names[annotation["category_id"]]] += 1
    return MergeSummary(
        output=output,
        images_per_source=_count([str(source) for source in sources], documents, sources),
        images_per_split={
            name: sum(annotation_name(image.split) == name for image in images)
            for name in dict.fromkeys(annotation_name(image.split) for image in images)
        },
        instances_per_class=per_class,
        account=account,
    )


def _join(
    documents: Sequence[CocoDocument], renames: Mapping[str, str], account: Account
) -> tuple[list[dict[str, Any]], list[ListedImage]]:
    """Return categories joined by name, and all images with the ids of these."""
    declared = [category["name"] for document in documents for category in document.categories]
    refuse_unknown(renames, dict.fromkeys(declared))
    joined: dict[str, dict[str, Any]] = {}
    images: list[ListedImage] = []
    noted: set[tuple[Path, str, int, int]] = set()
    for document in documents:
        new_id: dict[int, int] = {}
        for category in sorted(document.categories, key=lambda one: one["id"]):
            name = renames.get(category["name"], category["name"])
            if name not in joined:
                taken = {one["id"] for one in joined.values()}
                own_id = category["id"]
                free = own_id if own_id not in taken else max(taken) + 1
                joined[name] = category | {"id": free, "name": name}
            new_id[category["id"]] = joined[name]["id"]
            changed = (document.file.root, name, category["id"], joined[name]["id"])
            if changed[2] != changed[3] and changed not in noted:
                noted.add(changed)
                account.note(
                    "category given another id",
                    f"{document.file.root}, {name}: {changed[2]} is {changed[3]} now",
                )
        images += [_with_categories(image, new_id) for image in document.images]
    note_near_equal(list(joined), account)
    return sorted(joined.values(), key=lambda category: category["id"]), images


def _with_categories(image: ListedImage, new_id: Mapping[int, int]) -> ListedImage:
    annotations = tuple(
        annotation | {"category_id": new_id[annotation["category_id"]]}
        for annotation in image.annotations
    )
    return replace(image, annotations=annotations)


def _join_licenses(
    documents: Sequence[CocoDocument], images: Sequence[ListedImage]
) -> tuple[list[dict[str, Any]], list[ListedImage]]:
    """Return all licenses once, and the images with the ids that these have now."""
    joined: dict[str, dict[str, Any]] = {}
    renumbered: list[ListedImage] = []
    waiting = iter(images)
    for document in documents:
        new_id: dict[Any, int] = {}
        licenses = document.rest.get("licenses")
        for entry in licenses if isinstance(licenses, list) else []:
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
                continue
            key = json.dumps({**entry, "id": None}, sort_keys=True)
            taken = {one["id"] for one in joined.values()}
            free = entry["id"] if entry["id"] not in taken else max(taken) + 1
            new_id[entry["id"]] = joined.setdefault(key, entry | {"id": free})["id"]
        for _ in document.images:
            image = next(waiting)
            own = image.entry.get("license")
            if isinstance(own, int) and new_id.get(own, own) != own:
                image = replace(image, entry=image.entry | {"license": new_id[own]})
            renumbered.append(image)
    return sorted(joined.values(), key=lambda entry: entry["id"]), renumbered


def _name_and_number(
    images: Sequence[ListedImage], folders: Sequence[str], account: Account
) -> list[ListedImage]:
    numbered = with_distinct_ids(images)
    named = with_distinct_names(numbered, folders)
    for before, after in zip(images, named, strict=True):
        if before.image_id != after.image_id:
            account.note("image given another id", f"{before.picture}: {after.image_id}")
        if before.file_name != after.file_name:
            account.note("image given another name", f"{before.picture}: {after.file_name}")
    return named


def _note_duplicates(images: Sequence[ListedImage], account: Account, reporter: Reporter) -> None:
    for places in identical_files([image.picture for image in images], reporter=reporter):
        same = [images[place] for place in places]
        kind = SAME_SPLIT if len({image.split for image in same}) == 1 else BOTH_SPLITS
        account.note(kind, ", ".join(image.file_name for image in same))


def _write(
    folder: Path,
    documents: Sequence[CocoDocument],
    categories: Sequence[dict[str, Any]],
    licenses: Sequence[dict[str, Any]],
    images: Sequence[ListedImage],
) -> None:
    rest: dict[str, Any] = {}
    for document in documents:
        rest = {**document.rest, **rest}
    if licenses:
        rest["licenses"] = list(licenses)
    by_file: dict[str, list[ListedImage]] = {}
    for image in images:
        by_file.setdefault(annotation_name(image.split), []).append(image)
    write_documents(
        folder / "annotations",
        {
            name: {
                **rest,
                "images": [image.entry for image in listed],
                "annotations": [one for image in listed for one in image.annotations],
                "categories": list(categories),
            }
            for name, listed in by_file.items()
        },
    )


def _count(
    names: Sequence[str], documents: Sequence[CocoDocument], sources: Sequence[Path]
) -> dict[str, int]:
    counts = dict.fromkeys(names, 0)
    for source in sources:
        counts[str(source)] = sum(
            len(document.images)
            for document in documents
            if document.file.path.is_relative_to(source)
        )
    return counts
