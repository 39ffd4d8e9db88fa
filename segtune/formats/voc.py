"""Pascal VOC segmentation: one picture of instance numbers and one of class numbers an image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    Split,
    split_of_word,
)
from segtune.formats.class_names import NO_CLASSES, read_names
from segtune.formats.index_pictures import Colour, read_index_picture, voc_colours
from segtune.formats.pictures import size_or_loss
from segtune.formats.source_documents import read_text
from segtune.formats.source_paths import as_parts, pictures_in
from segtune.progress import Reporter

VOID = 255
_COLOUR = re.compile(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*")
# http://host.robots.ox.ac.uk/pascal/VOC/voc2012/segexamples/
VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


def read_voc(source: Path, account: Account, *, reporter: Reporter) -> AnnotatedDataset:
    """Return what `SegmentationObject` and `SegmentationClass` annotate on `JPEGImages`.

    Classes are those of `labelmap.txt` (CVAT), else of `class_names.txt` (LabelMe), else the
    twenty of Pascal VOC. Splits are those of `ImageSets/Segmentation`; without it, there are
    none.

    Raises:
        DatasetError: A folder is missing or a mask cannot be read.
    """
    if not (source / "SegmentationObject").is_dir():
        raise DatasetError(
            "there is no SegmentationObject folder",
            where=str(source),
            remedy="give the folder that holds JPEGImages and SegmentationObject",
        )
    names, colours = _classes(source)
    pictures = {picture.stem: picture for picture in pictures_in(source / "JPEGImages")}
    listed = _listed(source)
    images = []
    with reporter.task("reading VOC masks", len(listed)) as task:
        for stem, split in listed:
            if stem in pictures:
                image = _read_image(source, pictures[stem], split, names, colours, account)
                images += [] if image is None else [image]
            else:
                account.lose("image that is missing", f"{source}/JPEGImages/{stem}.jpg")
            task.advance()
    return AnnotatedDataset(tuple(names.values()), tuple(images))


def _classes(source: Path) -> tuple[dict[int, str], dict[Colour, int] | None]:
    """Return class names by number, background left out, and numbers by colour where stated."""
    if not (source / "labelmap.txt").is_file():
        names = read_names(source, ["class_names.txt"]) or VOC_CLASSES
        return dict(enumerate(names, start=1)), None
    named: dict[int, str] = {}
    colours: dict[Colour, int] = {}
    palette = list(voc_colours())
    for line in read_text(source / "labelmap.txt").splitlines():
        name, _, rest = line.partition(":")
        if not name.strip() or name.startswith("#"):
            continue
        colour = rest.split(":")[0]
        if not colour:  # as Datumaro writes a class whose colour is that of VOC's palette
            colours[palette[len(colours)]] = len(colours)
        elif (match := _COLOUR.fullmatch(colour)) is not None:
            red, green, blue = (int(channel) for channel in match.groups())
            colours[(red, green, blue)] = len(colours)
        else:
            raise DatasetError(
                "a line of labelmap.txt is not `name:red,green,blue:parts:actions`",
                where=f"{source / 'labelmap.txt'}: {line}",
                remedy="export the file again",
            )
        if name != "background" and name not in NO_CLASSES:
            named[len(colours) - 1] = name
    colours.setdefault(palette[VOID], VOID)
    return named, colours


def _listed(source: Path) -> list[tuple[str, Split | None]]:
    """Return the stems of all images with their splits; `trainval` says nothing new."""
    found: dict[str, Split | None] = {}
    for path in sorted((source / "ImageSets" / "Segmentation").glob("*.txt")):
        split = split_of_word(path.stem)
        for line in read_text(path).splitlines():
            stem = (as_parts(line.strip()) or ("",))[-1]
            if stem and (split is not None or stem not in found):
                found[stem] = split
    for picture in pictures_in(source / "SegmentationObject") if not found else ():
        found[picture.stem] = None
    return sorted(found.items(), key=lambda pair: pair[0])


def _read_image(
    source: Path,
    picture: Path,
    split: Split | None,
    names: Mapping[int, str],
    colours: Mapping[Colour, int] | None,
    account: Account,
) -> AnnotatedImage | None:
    size_hw = size_or_loss(picture, account)
    if size_hw is None:
        return None
    path = source / "SegmentationObject" / f"{picture.stem}.png"
    class_path = source / "SegmentationClass" / f"{picture.stem}.png"
    instances: Sequence[AnnotatedInstance] = ()
    if not (path.is_file() and class_path.is_file()):
        account.note("image without masks, taken as background", str(picture))
    else:
        objects = read_index_picture(path)
        classes = read_index_picture(class_path, colours)
        if not objects.shape == classes.shape == size_hw:
            account.lose("mask of another size than its image", str(path))
            return None
        instances = _instances(objects, classes, names, path, account)
    return AnnotatedImage(picture.name, picture, size_hw, tuple(instances), str(path), split)


def _instances(
    objects: NDArray[np.int64],
    classes: NDArray[np.int64],
    names: Mapping[int, str],
    path: Path,
    account: Account,
) -> list[AnnotatedInstance]:
    if (objects == VOID).any():
        account.lose("void pixels (255) of an image", str(path))
    instances = []
    for number in np.unique(objects).tolist():
        if number in (0, VOID):
            continue
        bitmap = objects == number
        of_class = np.bincount(classes[bitmap])
        index = int(of_class.argmax())  # border pixels may have another class
        if index in names:
            account.carry("instance of a mask picture")
            instances.append(AnnotatedInstance(names[index], dict(masks.encode(bitmap))))
        else:
            account.lose("instance of a class without a name", f"{path}, {number}: class {index}")
    return instances
