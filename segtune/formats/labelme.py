"""LabelMe: one JSON file beside each picture, with shapes that `group_id` joins to instances.

Holes, which LabelMe has no word for, come in the three ways that its users have: a polygon
labelled `_background_` cuts out of what was drawn before it; a polygon of a group that is marked
`difficult`, which is X-AnyLabeling's advice, or has the flag `hole`, cuts out of its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, Split
from segtune.formats.class_names import in_order, note_near_equal, read_names
from segtune.formats.labelme_picture import EmbeddedPicture, embedded_picture
from segtune.formats.labelme_shapes import instances_of
from segtune.formats.pictures import size_or_loss
from segtune.formats.source_documents import read_json
from segtune.formats.source_paths import (
    as_parts,
    files_below,
    find_inside,
    pictures_in,
    relative_name,
    split_of_folder,
)
from segtune.progress import Reporter

NAME_FILES = ("labels.txt", "label.txt", "classes.txt")


def is_labelme(document: Any) -> bool:
    """Whether a JSON document is one of LabelMe."""
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def read_labelme(source: Path, account: Account, *, reporter: Reporter) -> AnnotatedDataset:
    """Return what the JSON files in a folder and all below annotate.

    Folders `train`, `val` and `test` directly below give the splits. Classes come in the order
    of `labels.txt` where there is one, else of the alphabet.

    Raises:
        DatasetError: A JSON file cannot be read.
    """
    files = list(files_below(source, ".json"))
    images = []
    with reporter.task("reading LabelMe files", len(files)) as task:
        for file in files:
            document = read_json(file)
            if is_labelme(document):
                image = _read_file(source, file, document, account)
                images += [] if image is None else [image]
            else:
                account.note("JSON file without shapes, skipped", str(file))
            task.advance()
    _note_pictures_alone(source, images, account)
    found = {instance.class_name for image in images for instance in image.instances}
    names = in_order(found, read_names(source, NAME_FILES))
    note_near_equal(names, account)
    return AnnotatedDataset(names, tuple(images))


def _read_file(
    source: Path, file: Path, document: dict[str, Any], account: Account
) -> AnnotatedImage | None:
    picture = _find_picture(source, file, document, account)
    if picture is None:
        return None
    if isinstance(picture, EmbeddedPicture):
        content: Path | bytes = picture.content
        name, size_hw = relative_name(source, file.with_name(picture.name)), picture.size_hw
        account.carry("picture taken out of its JSON file")
    else:
        size = size_or_loss(picture, account)
        if size is None:
            return None
        content, name, size_hw = picture, relative_name(source, picture), size
    stated = (document.get("imageHeight"), document.get("imageWidth"))
    if None not in stated and stated != size_hw:
        account.note(
            "picture of another size than its JSON file states; points are taken as they are",
            f"{file}: stated {stated[1]} x {stated[0]}, is {size_hw[1]} x {size_hw[0]}",
        )
    split: Split | None = split_of_folder(source, file)
    instances = instances_of(document["shapes"], size_hw, str(file), account)
    return AnnotatedImage(name, content, size_hw, instances, str(file), split)


def _find_picture(
    source: Path, file: Path, document: dict[str, Any], account: Account
) -> Path | EmbeddedPicture | None:
    stated = document.get("imagePath")
    name = stated if isinstance(stated, str) else ""
    path = find_inside(source, name, [file.parent])
    if path is None:  # renamed after annotating, as the JSON file beside it was
        beside = [picture for picture in pictures_in(file.parent) if picture.stem == file.stem]
        path = beside[0] if beside else None
    if path is not None:
        return path
    data = document.get("imageData")
    if isinstance(data, str) and data:
        embedded = embedded_picture(data, (as_parts(name) or (file.stem,))[-1])
        if embedded is not None:
            return embedded
        account.lose("embedded picture that is damaged", str(file))
    else:
        account.lose("image that is missing", f"{file}: {name or 'no imagePath'}")
    return None


def _note_pictures_alone(source: Path, images: Sequence[AnnotatedImage], account: Account) -> None:
    annotated = {image.source for image in images if isinstance(image.source, Path)}
    for folder in sorted({path.parent for path in annotated}):
        for picture in pictures_in(folder):
            if picture not in annotated:
                account.lose("picture without a JSON file", relative_name(source, picture))
