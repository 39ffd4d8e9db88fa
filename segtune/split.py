"""The use case `split`: a dataset dealt out to training, validation and test, or to folds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.errors import DatasetError
from segtune.files import atomic_folder
from segtune.formats.coco_document import ListedImage
from segtune.formats.coco_pool import CocoPool, put_listed_images, read_pool, with_distinct_names
from segtune.formats.coco_writer import write_documents
from segtune.formats.duplicates import identical_files
from segtune.formats.pictures import put_again
from segtune.formats.source_paths import refuse_inside
from segtune.progress import Reporter, SilentReporter
from segtune.stratify import stratify

_SILENT = SilentReporter()


@dataclass(frozen=True)
class Part:
    """One split of the result, or the validation side of one fold."""

    name: str
    wish: float
    """Share of everything that it was to get, 0..1."""
    num_images: int
    instances_per_class: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the part as plain values."""
        return {
            "name": self.name,
            "wish": self.wish,
            "images": self.num_images,
            "instances_per_class": self.instances_per_class,
        }


@dataclass(frozen=True)
class SplitSummary:
    """What a split made."""

    output: Path
    parts: tuple[Part, ...]
    num_groups: int
    """Sets of images that had to stay together; images by themselves count as one."""
    num_duplicates: int
    """Images that are byte-identical to another one."""
    num_unmatched: int
    """Images whose name the pattern does not match."""
    renumbered: bool
    """Whether source files used the same ids, so that some are new."""

    def deviations(self) -> dict[str, dict[str, float]]:
        """Return by class and part how far the share got is from the wish, in -1..1.

        The row `images` is the share of the images. Classes without instances are left out.
        """
        rows = {"images": [part.num_images for part in self.parts]}
        for name in self.parts[0].instances_per_class:
            rows[f"class {name}"] = [part.instances_per_class[name] for part in self.parts]
        return {
            row: {
                part.name: count / sum(counts) - part.wish
                for part, count in zip(self.parts, counts, strict=True)
            }
            for row, counts in rows.items()
            if sum(counts)
        }

    def missing_classes(self) -> dict[str, list[str]]:
        """Return, by class that has instances, the parts that got none of them."""
        totals = {
            name: sum(part.instances_per_class[name] for part in self.parts)
            for name in self.parts[0].instances_per_class
        }
        missing = {
            name: [part.name for part in self.parts if not part.instances_per_class[name]]
            for name, total in totals.items()
            if total
        }
        return {name: parts for name, parts in missing.items() if parts}

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "output": str(self.output),
            "parts": [part.to_json() for part in self.parts],
            "deviations": self.deviations(),
            "missing_classes": self.missing_classes(),
            "groups": self.num_groups,
            "duplicates": self.num_duplicates,
            "unmatched_by_pattern": self.num_unmatched,
            "renumbered": self.renumbered,
        }


def split_dataset(
    source: Path,
    output: Path,
    *,
    shares: Mapping[str, float] | None = None,
    folds: int | None = None,
    group_by: str | None = None,
    seed: int = 0,
    images: Path | None = None,
    link: bool = False,
    reporter: Reporter = _SILENT,
) -> SplitSummary:
    """Write a dataset to a new folder in splits, or in folds that are datasets of their own.

    Every split gets its share of the images and of each class's instances, as nearly as whole
    groups allow. Byte-identical images are one group. The same source, wishes and seed give the
    same files, whatever the order of the lists in the source is. Ids, categories and all other
    keys are kept.

    Args:
        source: A dataset folder, whose splits are joined first, or one COCO file.
        output: The folder to make.
        shares: Of `val`, or `val` and `test`; `train` gets the rest.
        folds: Instead of shares: how many folds; every image is in the validation split of one.
        group_by: Regular expression with one group in parentheses; images whose file names give
            the same text there stay together.
        seed: Another seed gives other splits.
        images: The folder of the pictures, where it is not the usual one.
        link: Whether pictures are linked instead of copied.
        reporter: Told about every image.

    Raises:
        DatasetError: The source cannot be read, the wishes cannot be met, or the pattern is none.
        OutputError: `output` exists, lies inside `source`, or cannot be written.
    """
    names, wishes = _wishes(shares, folds)
    pattern = _compile(group_by)
    refuse_inside(output, source)
    with atomic_folder(output) as folder:
        pool = read_pool(source, images)
        keys = _keys(pool.images, pattern)
        same = identical_files([image.picture for image in pool.images], reporter=reporter)
        group_of = _groups(keys, same)
        counts = _group_counts(pool, group_of)
        if len(counts) < len(names):
            raise DatasetError(
                f"{len(pool.images)} images in {len(counts)} groups do not fill {len(names)} parts",
                where=str(source),
                remedy="ask for fewer parts, or let fewer images stay together",
            )
        chosen = stratify(counts, wishes, np.random.default_rng(seed))[group_of]  # (images,)
        pool = replace(pool, images=tuple(with_distinct_names(pool.images)))
        if folds:
            _write_folds(pool, chosen, names, folder, link, reporter)
        else:
            _write_splits(pool, chosen, names, folder)
            put_listed_images(pool.images, folder, link=link, reporter=reporter)
    return SplitSummary(
        output=output,
        parts=_parts(pool, chosen, names, wishes),
        num_groups=len(counts),
        num_duplicates=sum(len(places) for places in same),
        num_unmatched=sum(key is None for key in keys) if pattern else 0,
        renumbered=pool.renumbered,
    )


def _wishes(shares: Mapping[str, float] | None, folds: int | None) -> tuple[list[str], list[float]]:
    """Return names and shares of all parts. Raises DatasetError."""
    if (shares is None) == (folds is None):
        raise DatasetError(
            "splits and folds are both asked for, or neither",
            where="segtune split",
            remedy="give --val (and --test), or --folds",
        )
    if folds is not None:
        if folds < 2:
            raise DatasetError("one fold is no split", where="--folds", remedy="ask for 2 or more")
        return [f"fold_{number}" for number in range(1, folds + 1)], [1 / folds] * folds
    wanted = {name: share for name, share in (shares or {}).items() if share != 0}
    train = 1 - sum(wanted.values())
    if not wanted or min(wanted.values()) < 0 or train <= 0:
        raise DatasetError(
            "the shares leave nothing for training, or nothing else",
            where=", ".join(f"--{name} {share:g}" for name, share in (shares or {}).items()),
            remedy="give fractions between 0 and 1, such as --val 0.2 --test 0.1",
        )
    return ["train", *wanted], [train, *wanted.values()]


def _compile(group_by: str | None) -> re.Pattern[str] | None:
    if group_by is None:
        return None
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise DatasetError(
            f"the pattern is no regular expression: {error}",
            where=f"--group-by {group_by}",
            remedy=r"write one such as '^(.*)_\d+\.jpg$'",
        ) from error
    if pattern.groups != 1:
        raise DatasetError(
            f"the pattern has {pattern.groups} groups in parentheses, not one",
            where=f"--group-by {group_by}",
            remedy=r"put what images of one group share in parentheses: '^(.*)_\d+\.jpg$'",
        )
    return pattern


def _keys(images: Sequence[ListedImage], pattern: re.Pattern[str] | None) -> list[str | None]:
    """Return what the pattern finds in each file name; None where it finds nothing."""
    if pattern is None:
        return [None] * len(images)
    matches = [pattern.search(image.file_name) for image in images]
    return [match.group(1) if match else None for match in matches]


def _groups(keys: Sequence[str | None], same: Iterable[Sequence[int]]) -> NDArray[np.int64]:
    """Return the group (images,) of every image, numbered in the order of the images."""
    root = list(range(len(keys)))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    first_of: dict[str, int] = {}
    for place, key in enumerate(keys):
        if key is not None:
            root[find(place)] = find(first_of.setdefault(key, place))
    for first, *others in same:
        for other in others:
            root[find(other)] = find(first)
    number_of: dict[int, int] = {}
    return np.array(
        [number_of.setdefault(find(place), len(number_of)) for place in range(len(keys))], np.int64
    )


def _group_counts(pool: CocoPool, group_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (groups, classes + 2): instances by class, images without any, images."""
    per_image = pool.counts()
    is_background = per_image.sum(axis=1, keepdims=True) == 0
    columns = np.concatenate([per_image, is_background, np.ones_like(is_background)], axis=1)
    counts = np.zeros((int(group_of.max()) + 1, columns.shape[1]), np.int64)
    np.add.at(counts, group_of, columns)
    return counts


def _write_splits(
    pool: CocoPool, chosen: NDArray[np.int64], names: Sequence[str], folder: Path
) -> None:
    documents = {
        f"instance_{name}.json": pool.document(_of_part(pool, chosen == part))
        for part, name in enumerate(names)
    }
    write_documents(folder / "annotations", documents)


def _write_folds(
    pool: CocoPool,
    chosen: NDArray[np.int64],
    names: Sequence[str],
    folder: Path,
    link: bool,
    reporter: Reporter,
) -> None:
    """Write every fold as a dataset of its own; pictures take room once where links can be."""
    for part, name in enumerate(names):
        is_val = (chosen == part).astype(np.int64)
        _write_splits(pool, is_val, ["train", "val"], folder / name)
        if part == 0 or link:
            put_listed_images(pool.images, folder / name, link=link, reporter=reporter)
            continue
        for image in pool.images:
            first = folder / names[0] / "images" / image.file_name
            put_again(first, folder / name / "images" / image.file_name)


def _of_part(pool: CocoPool, is_in: NDArray[np.bool_]) -> list[ListedImage]:
    return [image for image, here in zip(pool.images, is_in.tolist(), strict=True) if here]


def _parts(
    pool: CocoPool, chosen: NDArray[np.int64], names: Sequence[str], wishes: Sequence[float]
) -> tuple[Part, ...]:
    counts = pool.counts()
    return tuple(
        Part(
            name=name,
            wish=wish,
            num_images=int((chosen == part).sum()),
            instances_per_class=dict(
                zip(pool.class_names, counts[chosen == part].sum(axis=0).tolist(), strict=True)
            ),
        )
        for part, (name, wish) in enumerate(zip(names, wishes, strict=True))
    )
