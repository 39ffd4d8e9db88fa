"""One COCO file as it stands: images with their annotations, no key changed or dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtune.errors import DatasetError
from segtune.formats.annotated import Split
from segtune.formats.coco_files import CocoFile
from segtune.formats.source_documents import read_json
from segtune.formats.source_paths import find_inside

_LISTS = ("images", "annotations", "categories")
_CHECK = "`segtune check-dataset` lists everything that is wrong"


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One entry of `images` with its annotations, and its picture if that was found."""

    entry: dict[str, Any]
    annotations: tuple[dict[str, Any], ...]
    path: Path | None
    split: Split | None

    @property
    def image_id(self) -> int:
        """The `id` of the entry."""
        return int(self.entry["id"])

    @property
    def file_name(self) -> str:
        """The `file_name` of the entry."""
        return str(self.entry["file_name"])

    @property
    def picture(self) -> Path:
        """The file of the picture, after `refuse_missing_pictures` has passed."""
        assert self.path is not None
        return self.path


@dataclass(frozen=True)
class CocoDocument:
    """What a COCO file holds."""

    file: CocoFile
    categories: tuple[dict[str, Any], ...]
    images: tuple[ListedImage, ...]
    rest: dict[str, Any]
    """Every other key, such as `info` and `licenses`."""

    @property
    def names_by_id(self) -> dict[int, str]:
        """Class names by category id."""
        return {category["id"]: category["name"] for category in self.categories}


def read_coco_document(file: CocoFile) -> CocoDocument:
    """Return a COCO file whose ids and references are sound.

    Raises:
        DatasetError: The file is not COCO; an id is missing, twice there or not whole; an
            annotation belongs to no image or category.
    """
    document = read_json(file.path)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in _LISTS
    ):
        raise DatasetError(
            "the file does not hold COCO annotations",
            where=str(file.path),
            remedy='COCO is an object with the lists "images", "annotations" and "categories"',
        )
    categories = _with_ids(document["categories"], "categories", file.path)
    for number, category in enumerate(categories):
        if not isinstance(category.get("name"), str):
            raise _faulty(file.path, f"categories[{number}].name", "a class has no name")
    images = _with_ids(document["images"], "images", file.path)
    annotations = _with_ids(document["annotations"], "annotations", file.path)
    by_image = _by_image(annotations, images, categories, file.path)
    return CocoDocument(
        file=file,
        categories=tuple(categories),
        images=tuple(
            _listed(file, number, entry, by_image[entry["id"]])
            for number, entry in enumerate(images)
        ),
        rest={key: value for key, value in document.items() if key not in _LISTS},
    )


def refuse_missing_pictures(images: Iterable[ListedImage]) -> None:
    """Raise DatasetError where the picture of an image was not found."""
    missing = [image.file_name for image in images if image.path is None]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DatasetError(
            f"{len(missing)} image{'s are' if len(missing) > 1 else ' is'} missing",
            where=", ".join(missing[:3]) + more,
            remedy="give the folder of the images with --images, or put the images there",
        )


def _with_ids(entries: list[Any], section: str, path: Path) -> list[dict[str, Any]]:
    seen: set[int] = set()
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise _faulty(path, f"{section}[{number}]", "an entry has no id that is a whole number")
        if entry["id"] in seen:
            raise _faulty(path, f"{section}[{number}].id", f"the id {entry['id']} is used twice")
        seen.add(entry["id"])
    return entries


def _by_image(
    annotations: list[dict[str, Any]],
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
    path: Path,
) -> dict[int, list[dict[str, Any]]]:
    by_image: dict[int, list[dict[str, Any]]] = {entry["id"]: [] for entry in images}
    known = {entry["id"] for entry in categories}
    for number, annotation in enumerate(annotations):
        image_id, category_id = annotation.get("image_id"), annotation.get("category_id")
        if type(image_id) is not int or image_id not in by_image:
            where = f"annotations[{number}].image_id"
            raise _faulty(path, where, "an annotation belongs to no image")
        if type(category_id) is not int or category_id not in known:
            where = f"annotations[{number}].category_id"
            raise _faulty(path, where, "an annotation belongs to no category")
        by_image[image_id].append(annotation)
    return by_image


def _listed(
    file: CocoFile, number: int, entry: dict[str, Any], annotations: list[dict[str, Any]]
) -> ListedImage:
    name = entry.get("file_name")
    if not isinstance(name, str) or not name:
        raise _faulty(file.path, f"images[{number}].file_name", "an image has no file_name")
    path = find_inside(file.root, name, file.image_folders)
    return ListedImage(entry, tuple(annotations), path, file.split)


def _faulty(path: Path, pointer: str, problem: str) -> DatasetError:
    return DatasetError(problem, where=f"{path}, {pointer}", remedy=_CHECK)
