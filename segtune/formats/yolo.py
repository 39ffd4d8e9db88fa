"""YOLO segmentation: a YAML file with classes and folders, a text file of polygons an image.

A line is a class index and the corners of one polygon, as fractions of width and height.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import (
    SPLITS,
    AnnotatedDataset,
    AnnotatedImage,
    AnnotatedInstance,
    Split,
)
from segtune.formats.pictures import size_or_loss
from segtune.formats.rings import Ring
from segtune.formats.source_documents import read_text, read_yaml
from segtune.formats.source_paths import as_parts, is_inside, pictures_in, relative_name
from segtune.progress import Reporter

_TOLERANCE = 0.01  # of a side; rounding and half-pixel conventions stay below it


def find_yaml(source: Path) -> Path | None:
    """Return the YAML file that describes a YOLO dataset, or None."""
    if source.is_file():
        return source if source.suffix in (".yaml", ".yml") else None
    preferred = [source / "data.yaml", source / "dataset.yaml"]
    others = sorted([*source.glob("*.yaml"), *source.glob("*.yml")])
    for path in [*preferred, *others]:
        if path.is_file() and _is_description(read_yaml(path)):
            return path
    return None


def read_yolo(source: Path, account: Account, *, reporter: Reporter) -> AnnotatedDataset:
    """Return what a YOLO dataset annotates.

    An image without a label file is a background image, as it is for ultralytics.

    Args:
        source: The YAML file, or the folder it lies in.
        account: Told about every line.
        reporter: Told about every image.

    Raises:
        DatasetError: The YAML file is missing, or does not name classes and folders.
    """
    description = find_yaml(source)
    if description is None:
        raise DatasetError(
            "there is no YAML file with `names` and `train`",
            where=str(source),
            remedy="give the folder that holds data.yaml, or the file itself",
        )
    content = read_yaml(description)
    if not _is_description(content):
        raise DatasetError(
            f"{description.name} has no `names`, or neither `train` nor `val`",
            where=str(description),
            remedy="write `names: [cat, dog]` and `train: images/train`",
        )
    root = description.parent
    names = _class_names(content["names"], description)
    listed = [
        (split, picture)
        for split in SPLITS
        for key in ((split, "valid") if split == "val" else (split,))
        if content.get(key)
        for picture in _pictures_of(content[key], root, content.get("path"), account)
    ]
    images = []
    with reporter.task("reading YOLO labels", len(listed)) as task:
        for split, picture in dict.fromkeys(listed):
            image = _read_image(root, picture, split, names, account)
            images += [] if image is None else [image]
            task.advance()
    return AnnotatedDataset(tuple(names.values()), tuple(images))


def _is_description(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get("names"), list | dict)
        and any(content.get(key) for key in ("train", "val", "valid", "test"))
    )


def _class_names(names: Any, file: Path) -> dict[int, str]:
    """Return class names by index, of a list or a mapping."""
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    found: dict[int, str] = {}
    for index, name in pairs:
        if (
            not re.fullmatch(r"[0-9]{1,9}", str(index))
            or isinstance(name, list | dict)
            or name is None
        ):
            raise DatasetError(
                "`names` is neither a list of names nor a mapping of 0, 1, 2, ... to names",
                where=f"{file}, names",
                remedy="write `names: [cat, dog]` or `names: {0: cat, 1: dog}`",
            )
        found[int(index)] = str(name)
    if len(set(found.values())) < len(found):
        raise DatasetError(
            "two classes have the same name",
            where=f"{file}, names",
            remedy="rename one, or give both the same index in the label files",
        )
    return dict(sorted(found.items()))


def _pictures_of(value: Any, root: Path, path: Any, account: Account) -> Iterator[Path]:
    """Yield the pictures of a split: folders, a text file that lists them, or several of these."""
    for entry in value if isinstance(value, list) else [value]:
        place = _locate(str(entry), root, path)
        if place is None:
            account.lose(
                "folder or list that the YAML file names but that is not there", str(entry)
            )
        elif place.is_dir():
            yield from _pictures_below(place)
        else:
            for line in filter(None, map(str.strip, read_text(place).splitlines())):
                picture = _locate(line, root, path)
                if picture is None:
                    account.lose("image that is missing", f"{place}: {line}")
                else:
                    yield picture


def _pictures_below(folder: Path) -> Iterator[Path]:
    yield from pictures_in(folder)
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from _pictures_below(below)


def _locate(entry: str, root: Path, path: Any) -> Path | None:
    """Return the place beside the YAML file that an entry means; None where there is none.

    `path` is often a folder of another machine, and Roboflow writes `../train/images` for one
    that lies beside the file; so the end of an entry is looked for, too.
    """
    parts = tuple(part for part in entry.replace("\\", "/").split("/") if part not in ("", "."))
    starts = [root.joinpath(*as_parts(path)), root] if isinstance(path, str) else [root]
    for tail in [parts[start:] for start in range(len(parts))] or [()]:
        for start in starts:
            place = start.joinpath(*tail)
            if is_inside(root, place) and place.exists():
                return place
    return None


def _read_image(
    root: Path, picture: Path, split: Split, names: Mapping[int, str], account: Account
) -> AnnotatedImage | None:
    size_hw = size_or_loss(picture, account)
    if size_hw is None:
        return None
    labels = _label_file(picture)
    instances: list[AnnotatedInstance] = []
    if labels.is_file():
        for number, line in enumerate(read_text(labels).splitlines(), start=1):
            read = _read_line(line.split(), names, size_hw)
            if isinstance(read, str):
                account.lose(read, f"{labels}, line {number}")
            elif read is not None:
                account.carry("polygon")
                instances.append(read)
    else:
        account.note("image without a label file, taken as background", str(picture))
    name = relative_name(root, picture)
    return AnnotatedImage(name, picture, size_hw, tuple(instances), str(labels), split)


def _label_file(picture: Path) -> Path:
    """Return where the labels of a picture lie: `labels` stands for the last `images` folder."""
    parts = list(picture.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _read_line(
    words: list[str], names: Mapping[int, str], size_hw: tuple[int, int]
) -> AnnotatedInstance | str | None:
    """Return the instance of a line, None for an empty one, or why it is not carried over."""
    if not words:
        return None
    try:
        index, *numbers = [float(word) for word in words]
    except ValueError:
        return "line that is not made of numbers"
    if index not in names:
        return "class index that `names` does not have"
    if not all(math.isfinite(number) for number in numbers):
        return "line that is not made of numbers"
    if len(numbers) == 4:
        return "box, which has no mask"
    if len(numbers) < 6 or len(numbers) % 2:
        return "polygon with an odd number of coordinates, or fewer than three points"
    if min(numbers) < -_TOLERANCE or max(numbers) > 1 + _TOLERANCE:
        return "polygon whose coordinates are no fractions between 0 and 1"
    height, width = size_hw
    # Fractions of nine digits give back coordinates of four decimals, and with them every pixel:
    # pycocotools rounds points to fifths, where a billionth decides.
    ring: Ring = [
        round(number * (height if place % 2 else width), 4) for place, number in enumerate(numbers)
    ]
    return AnnotatedInstance(names[int(index)], [ring])
