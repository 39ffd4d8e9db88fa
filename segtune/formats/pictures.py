"""Pictures on their way from one dataset to another: read for their size, named, put in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segtune.errors import DatasetError, ImageError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedImage, split_of_word
from segtune.images import image_size
from segtune.progress import Reporter


def size_or_loss(path: Path, account: Account) -> tuple[int, int] | None:
    """Return (height, width) of a picture; None after entering it as lost."""
    try:
        return image_size(path)
    except ImageError as error:
        account.lose("image that cannot be read", f"{path}: {error.problem}")
        return None


class Wanted(NamedTuple):
    """A picture and the name that it should have in a dataset."""

    name: str
    source: Path | bytes
    folder_if_taken: str | None
    """Where the picture goes when another has the name already."""


def wanted(image: AnnotatedImage) -> Wanted:
    """Return the wish of an image; pictures of one name are kept apart by split."""
    is_apart = image.split is None or image.file_name.startswith(f"{image.split}/")
    return Wanted(image.file_name, image.source, None if is_apart else image.split)


def distinct_names(pictures: Sequence[Wanted], *, by_stem: bool = False) -> list[str]:
    """Return a file name for every picture, in order, of which no two are the same.

    Case does not tell names apart, as Windows and macOS do not. A name that is taken goes into
    the folder for that, and gets a number where it is taken there too. One file that is listed
    twice keeps one name.

    Args:
        pictures: Whose names these are.
        by_stem: Whether names must differ without their suffix, for a label file beside each.
    """
    taken: dict[str, Path | bytes] = {}
    names = []
    for picture in pictures:
        for name in _candidates(picture):
            key = (str(PurePosixPath(name).with_suffix("")) if by_stem else name).casefold()
            if key not in taken or (taken[key] == picture.source and not by_stem):
                taken[key] = picture.source
                names.append(name)
                break
    return names


def in_folder_of_split(image: AnnotatedImage) -> AnnotatedImage:
    """Return the image with a name that begins with the folder of its split, where it has one."""
    if image.split is None:
        return image
    first, *rest = image.file_name.split("/")
    if rest and split_of_word(first) == image.split:
        return replace(image, file_name="/".join([image.split, *rest]))
    return replace(image, file_name=f"{image.split}/{image.file_name}")


def put_pictures(
    sources: Sequence[Path | bytes],
    names: Sequence[str],
    folder: Path,
    *,
    link: bool,
    reporter: Reporter,
) -> None:
    """Copy or link every picture to its name below `folder`."""
    title = "linking images" if link else "copying images"
    with reporter.task(title, len(sources)) as task:
        for source, name in zip(sources, names, strict=True):
            put(source, folder / name, link=link)
            task.advance()


def put_again(first: Path, target: Path) -> None:
    """Make a file that was just put appear at a second place, at no cost where that can be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(first, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(first, target)


def put(source: Path | bytes, target: Path, *, link: bool) -> None:
    """Copy a picture to a new place, or link it there; nothing is done when it is there already.

    A link is a hard link where source and target lie on one file system, symbolic elsewhere.

    Raises:
        DatasetError: The picture cannot be read.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    original = source.resolve()
    if not os.access(original, os.R_OK):
        raise DatasetError(
            f"cannot read {source.name}", where=str(source), remedy="check the permissions"
        )
    if link:
        with suppress(OSError):
            os.link(original, target)
            return
        target.symlink_to(original)
        return
    shutil.copyfile(original, target)


def _candidates(picture: Wanted) -> Iterator[str]:
    yield picture.name
    path = PurePosixPath(picture.name)
    if picture.folder_if_taken is not None:
        path = PurePosixPath(picture.folder_if_taken) / path
        yield str(path)
    number = 2
    while True:
        yield str(path.with_name(f"{path.stem}_{number}{path.suffix}"))
        number += 1
