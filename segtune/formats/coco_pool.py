"""Several COCO files as one pool of images, and subsets of it as COCO files again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.errors import DatasetError
from segtune.formats.coco_document import (
    CocoDocument,
    ListedImage,
    read_coco_document,
    refuse_missing_pictures,
)
from segtune.formats.coco_files import find_coco_files
from segtune.formats.pictures import Wanted, distinct_names, put_pictures
from segtune.formats.source_paths import clean_name
from segtune.progress import Reporter


@dataclass(frozen=True)
class CocoPool:
    """Images of one or several COCO files that agree on their categories."""

    categories: tuple[dict[str, Any], ...]
    """By ascending id."""
    images: tuple[ListedImage, ...]
    """By ascending id, whatever their order in the files was."""
    rest: dict[str, Any]
    """`info`, `licenses` and other keys of the first file."""
    renumbered: bool
    """Whether files used the same ids, so that those of the later ones are new."""

    @property
    def class_names(self) -> list[str]:
        """Names in the order of the categories."""
        return [category["name"] for category in self.categories]

    def counts(self) -> NDArray[np.int64]:
        """Return how many instances of each category (columns) each image (rows) has."""
        column = {category["id"]: place for place, category in enumerate(self.categories)}
        counts = np.zeros((len(self.images), len(column)), np.int64)
        for row, image in enumerate(self.images):
            for annotation in image.annotations:
                counts[row, column[annotation["category_id"]]] += 1
        return counts

    def document(self, images: Iterable[ListedImage]) -> dict[str, Any]:
        """Return a COCO file of some of the images; ids, categories and other keys are kept."""
        chosen = sorted(images, key=lambda image: image.image_id)
        annotations = [annotation for image in chosen for annotation in image.annotations]
        return {
            **self.rest,
            "images": [image.entry for image in chosen],
            "annotations": sorted(annotations, key=lambda annotation: annotation["id"]),
            "categories": list(self.categories),
        }


def read_pool(source: Path, images: Path | None = None) -> CocoPool:
    """Return the images of all COCO files of a dataset.

    Args:
        source: As `find_coco_files` takes it.
        images: The folder of the pictures, where it is not the usual one.

    Raises:
        DatasetError: A file cannot be read, a picture is missing, or the files disagree on their
            categories.
    """
    documents = [read_coco_document(file) for file in find_coco_files(source, images)]
    for document in documents:
        refuse_missing_pictures(document.images)
        _refuse_other_categories(documents[0], document)
    listed = [image for document in documents for image in document.images]
    if not listed:
        raise DatasetError("no image is listed", where=str(source), remedy="add images first")
    distinct = with_distinct_ids(listed)
    return CocoPool(
        categories=tuple(sorted(documents[0].categories, key=lambda category: category["id"])),
        images=tuple(sorted(distinct, key=lambda image: image.image_id)),
        rest=documents[0].rest,
        renumbered=any(one is not other for one, other in zip(listed, distinct, strict=True)),
    )


def with_distinct_ids(images: Sequence[ListedImage]) -> list[ListedImage]:
    """Return the images with ids, and ids of annotations, that differ; taken ones are replaced.

    New ids follow on the largest that any of the images has.
    """
    next_image = max((image.image_id for image in images), default=0) + 1
    numbers = [annotation["id"] for image in images for annotation in image.annotations]
    next_annotation = max(numbers, default=0) + 1
    image_ids: set[int] = set()
    annotation_ids: set[int] = set()
    distinct = []
    for image in images:
        image_id = image.image_id
        if image_id in image_ids:
            image_id, next_image = next_image, next_image + 1
        image_ids.add(image_id)
        changed = image_id != image.image_id
        annotations = []
        for annotation in image.annotations:
            own_id = annotation["id"]
            if own_id in annotation_ids:
                own_id, next_annotation = next_annotation, next_annotation + 1
            annotation_ids.add(own_id)
            if changed or own_id != annotation["id"]:
                annotation = annotation | {"id": own_id, "image_id": image_id}
                changed = True
            annotations.append(annotation)
        if changed:
            entry = image.entry | {"id": image_id}
            image = replace(image, entry=entry, annotations=tuple(annotations))
        distinct.append(image)
    return distinct


def with_distinct_names(
    images: Sequence[ListedImage], folders: Sequence[str | None] | None = None
) -> list[ListedImage]:
    """Return the images with file names that differ where their pictures do.

    Args:
        images: Whose pictures go into one folder.
        folders: Where a picture goes whose name is taken; default: called after its split.
    """
    wishes = [
        Wanted(clean_name(image.file_name), image.picture, folder)
        for image, folder in zip(images, folders or [image.split for image in images], strict=True)
    ]
    return [
        image
        if image.file_name == name
        else replace(image, entry=image.entry | {"file_name": name})
        for image, name in zip(images, distinct_names(wishes), strict=True)
    ]


def _refuse_other_categories(first: CocoDocument, other: CocoDocument) -> None:
    if first.names_by_id != other.names_by_id:
        raise DatasetError(
            "the annotation files of the dataset disagree on their categories",
            where=f"{first.file.path} and {other.file.path}",
            remedy="join them by name with `segtune merge`",
        )


def put_listed_images(
    images: Sequence[ListedImage], dataset: Path, *, link: bool, reporter: Reporter
) -> None:
    """Copy or link the picture of every image to its file name below `images/` of a dataset."""
    put_pictures(
        [image.picture for image in images],
        [image.file_name for image in images],
        dataset / "images",
        link=link,
        reporter=reporter,
    )
