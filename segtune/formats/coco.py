"""COCO files of any tool as annotated images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance
from segtune.formats.coco_document import CocoDocument, ListedImage, read_coco_document
from segtune.formats.coco_files import find_coco_files
from segtune.formats.pictures import size_or_loss
from segtune.formats.source_paths import clean_name
from segtune.progress import Reporter

_IMAGE_KEYS = {"id", "file_name", "height", "width"}
_INSTANCE_KEYS = {"id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd"}


def read_coco_dataset(
    source: Path, account: Account, *, images: Path | None, reporter: Reporter
) -> AnnotatedDataset:
    """Return what the COCO files of a dataset annotate.

    Category ids are kept where no two files give one id to two classes, image and annotation ids
    where no id is used twice.

    Args:
        source: As `find_coco_files` takes it.
        account: Told about every annotation.
        images: The folder of the pictures, where it is not the usual one.
        reporter: Told about every image.

    Raises:
        DatasetError: There is no COCO file, or one cannot be read.
    """
    documents = [read_coco_document(file) for file in find_coco_files(source, images)]
    ids = _category_ids(documents, account)
    found = []
    with reporter.task("reading images", sum(len(one.images) for one in documents)) as task:
        for document in documents:
            names = document.names_by_id
            for listed in document.images:
                image = _image(document, listed, names, account)
                found += [] if image is None else [image]
                task.advance()
    return AnnotatedDataset(
        class_names=tuple(sorted(ids, key=lambda name: ids[name])),
        images=tuple(found),
        category_ids=ids,
        more=_info_and_licenses(documents),
    )


def _category_ids(documents: Sequence[CocoDocument], account: Account) -> dict[str, int]:
    """Return ids by class name, without the empty parent class that Roboflow adds."""
    used = {
        (annotation["category_id"], document.names_by_id[annotation["category_id"]])
        for document in documents
        for image in document.images
        for annotation in image.annotations
    }
    ids: dict[str, int] = {}
    renumber = False
    for document in documents:
        parents = [category.get("supercategory") for category in document.categories]
        for category in document.categories:
            name, category_id = category["name"], category["id"]
            is_parent = name in parents and category.get("supercategory") == "none"
            if is_parent and (category_id, name) not in used:
                account.note("parent class without instances, left out", repr(name))
                continue
            renumber |= ids.setdefault(name, category_id) != category_id
    if renumber or len(set(ids.values())) < len(ids):
        account.note(
            "files that give a category id to different classes; ids are given anew",
            ", ".join(str(document.file.path) for document in documents),
        )
        return {name: number for number, name in enumerate(ids, start=1)}
    return ids


def _image(
    document: CocoDocument, listed: ListedImage, names: Mapping[int, str], account: Account
) -> AnnotatedImage | None:
    place = f"{document.file.path}, {listed.file_name}"
    if listed.path is None:
        account.lose("image that is missing", place)
        return None
    size_hw = size_or_loss(listed.path, account)
    if size_hw is None:
        return None
    stated = (listed.entry.get("height"), listed.entry.get("width"))
    if stated != size_hw:
        account.note(
            "picture of another size than its entry states",
            f"{place}: stated {stated[1]} x {stated[0]}, is {size_hw[1]} x {size_hw[0]}",
        )
    return AnnotatedImage(
        file_name=clean_name(listed.file_name),
        source=listed.path,
        size_hw=size_hw,
        instances=tuple(
            _instance(annotation, names, place, account) for annotation in listed.annotations
        ),
        place=place,
        split=listed.split,
        image_id=listed.image_id,
        more={key: value for key, value in listed.entry.items() if key not in _IMAGE_KEYS},
    )


def _instance(
    annotation: dict[str, Any], names: Mapping[int, str], place: str, account: Account
) -> AnnotatedInstance:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        account.carry("RLE")
    elif isinstance(segmentation, list) and len(segmentation) > 1:
        account.carry("polygon of several rings")
    else:
        account.carry("polygon")
    extra = {key for key, value in annotation.items() if value} - _INSTANCE_KEYS
    for key in sorted(extra):
        account.lose(f"'{key}' of an annotation", f"{place}, annotation {annotation['id']}")
    return AnnotatedInstance(
        names[annotation["category_id"]],
        segmentation if segmentation is not None else [],
        annotation.get("iscrowd") == 1,
        annotation["id"],
    )


def _info_and_licenses(documents: Sequence[CocoDocument]) -> dict[str, Any]:
    """Return what the files agree on."""
    first = documents[0].rest
    return {
        key: first[key]
        for key in ("info", "licenses")
        if key in first and all(document.rest.get(key) == first[key] for document in documents)
    }
