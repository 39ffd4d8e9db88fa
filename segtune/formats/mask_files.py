"""One black and white picture an object, in the three layouts that are common.

<id>/images/<id>.png, <id>/masks/*.png             2018 Data Science Bowl; one class
images/<stem>.jpg, masks/<stem>/<class>_<n>.png    a folder an image
images/<stem>.jpg, masks/<stem>_<class>_<n>.png    all in one folder
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import (
    AnnotatedDataset,
    AnnotatedImage,
    AnnotatedInstance,
)
from segtune.formats.class_names import in_order, note_near_equal
from segtune.formats.index_pictures import read_grey
from segtune.formats.pictures import size_or_loss
from segtune.formats.source_paths import pictures_in, relative_name, split_of_folder
from segtune.progress import Reporter

_NUMBER_AT_END = re.compile(r"^(?P<name>.*?)[_\-]?(?P<number>\d+)?$")
_HALF = 128  # where a mask has grey values between black and white


def read_mask_files(
    source: Path, account: Account, *, class_name: str | None, reporter: Reporter
) -> AnnotatedDataset:
    """Return what the masks in a folder annotate; splits are folders `train`, `val`, `test`.

    Args:
        source: The folder, in one of the layouts above.
        account: Told about every mask.
        class_name: The class of all masks; their names do not matter then.
        reporter: Told about every image.

    Raises:
        DatasetError: A mask cannot be read, or nothing tells its class.
    """
    listed = list(_images_with_masks(source, account))
    images = []
    with reporter.task("reading masks", len(listed)) as task:
        for picture, of_picture in listed:
            size_hw = size_or_loss(picture, account)
            if size_hw is not None:
                instances = [
                    instance
                    for mask, text in of_picture
                    for instance in _instance(
                        mask, class_name or _class(mask, text), size_hw, account
                    )
                ]
                images.append(
                    AnnotatedImage(
                        _name(source, picture),
                        picture,
                        size_hw,
                        tuple(instances),
                        str(picture),
                        split_of_folder(source, picture),
                    )
                )
            task.advance()
    found = {instance.class_name for image in images for instance in image.instances}
    names = in_order(found, ())
    note_near_equal(names, account)
    return AnnotatedDataset(names, tuple(images))


def has_mask_folders(source: Path) -> bool:
    """Whether a folder is in one of the layouts."""
    return bool(_pairs(source))


def _pairs(source: Path) -> list[Path]:
    """Return the folders, two levels deep, that hold images/ and masks/."""
    first = _folders(source)
    second = [below for folder in first for below in _folders(folder)]
    return [
        folder
        for folder in [source, *first, *second]
        if (folder / "images").is_dir() and (folder / "masks").is_dir()
    ]


def _images_with_masks(
    source: Path, account: Account
) -> Iterator[tuple[Path, list[tuple[Path, str]]]]:
    """Yield every picture with its masks and the part of their names that tells the class."""
    for folder in _pairs(source):
        pictures = pictures_in(folder / "images")
        mask_files = pictures_in(folder / "masks")
        if len(pictures) == 1 and pictures[0].stem == folder.name:
            yield pictures[0], [(mask, mask.stem) for mask in mask_files]
            continue
        stems = sorted((picture.stem for picture in pictures), key=len, reverse=True)
        grouped: dict[str, list[tuple[Path, str]]] = {stem: [] for stem in stems}
        for mask in mask_files:
            owner = next((stem for stem in stems if _belongs(mask.stem, stem)), None)
            if owner is None:
                account.lose("mask without an image", str(mask))
            else:
                grouped[owner].append((mask, mask.stem[len(owner) :].lstrip("_-")))
        for below in _folders(folder / "masks"):
            if below.name in grouped:
                grouped[below.name] += [(mask, mask.stem) for mask in pictures_in(below)]
            else:
                account.lose("folder of masks without an image", str(below))
        for picture in pictures:
            yield picture, grouped[picture.stem]


def _belongs(mask_stem: str, stem: str) -> bool:
    return mask_stem == stem or mask_stem.startswith((f"{stem}_", f"{stem}-"))


def _class(mask: Path, text: str) -> str:
    match = _NUMBER_AT_END.match(text)
    name = match["name"] if match else ""
    if not name:
        raise DatasetError(
            "nothing tells the class of a mask",
            where=str(mask),
            remedy="give --class-name, or call masks <class>_<number>.png",
        )
    return name


def _instance(
    mask: Path, name: str, size_hw: tuple[int, int], account: Account
) -> Iterable[AnnotatedInstance]:
    bitmap = _bitmap(read_grey(mask), mask, account)
    if bitmap is None:
        return
    if bitmap.shape != size_hw:
        account.lose("mask of another size than its image", str(mask))
        return
    account.carry("mask picture")
    yield AnnotatedInstance(name, dict(masks.encode(bitmap)))


def _bitmap(values: NDArray[np.int64], mask: Path, account: Account) -> NDArray[np.bool_] | None:
    found = np.unique(values)
    if len(found) == 1 or (len(found) == 2 and found[0] == 0):
        return values > 0
    if found[-1] == 255:
        account.note("mask with grey values, cut at half", str(mask))
        return values >= _HALF
    account.lose("mask of more than two values", str(mask))
    return None


def _name(source: Path, picture: Path) -> str:
    """Return the picture's name; the folder of a picture by itself repeats it and is left out."""
    name = relative_name(source, picture)
    folders = name.split("/")
    if len(folders) > 1 and folders[-2] == picture.stem:
        del folders[-2]
    return "/".join(folders)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
