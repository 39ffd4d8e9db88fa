"""The use case `sample`: a small dataset that shows what the whole shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtune.errors import DatasetError
from segtune.files import atomic_folder
from segtune.formats.coco_document import read_coco_document, refuse_missing_pictures
from segtune.formats.coco_files import find_coco_files
from segtune.formats.coco_pool import CocoPool, put_listed_images, with_distinct_names
from segtune.formats.coco_writer import annotation_name, write_documents
from segtune.formats.source_paths import refuse_inside
from segtune.progress import Reporter, SilentReporter
from segtune.subset import choose_like_whole, choose_per_class

_SILENT = SilentReporter()


@dataclass(frozen=True)
class SampleSummary:
    """What a sample holds, beside what the source does."""

    output: Path
    images: dict[str, tuple[int, int]]
    """By annotation file: in the sample, in the source."""
    instances_per_class: dict[str, tuple[int, int]]
    """In the sample, in the source."""

    def missing_classes(self) -> list[str]:
        """Return the classes that have instances in the source and none in the sample."""
        return [
            name for name, (here, there) in self.instances_per_class.items() if there > here == 0
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "output": str(self.output),
            "images": {
                name: {"sample": here, "source": there}
                for name, (here, there) in self.images.items()
            },
            "instances_per_class": {
                name: {"sample": here, "source": there}
                for name, (here, there) in self.instances_per_class.items()
            },
            "missing_classes": self.missing_classes(),
        }


def sample(
    source: Path,
    output: Path,
    *,
    num: int | None = None,
    per_class: int | None = None,
    fraction: float | None = None,
    seed: int = 0,
    images: Path | None = None,
    link: bool = False,
    reporter: Reporter = _SILENT,
) -> SampleSummary:
    """Write some images of every split of a dataset to a new folder.

    Ids, categories and all other keys are kept. The same source, wish and seed give the same
    files, whatever the order of the lists in the source is.

    Args:
        source: A dataset folder or one COCO file.
        output: The folder to make.
        num: How many images, all splits together; each gets its share, and one at least.
        per_class: Or: how many images of each class in every split, where there are as many.
        fraction: Or: which share of the images of every split, 0..1.
        seed: Another seed gives other images.
        images: The folder of the pictures, where it is not the usual one.
        link: Whether pictures are linked instead of copied.
        reporter: Told about every image.

    Raises:
        DatasetError: The source cannot be read, or the wish cannot be met.
        OutputError: `output` exists, lies inside `source`, or cannot be written.
    """
    if sum(wish is not None for wish in (num, per_class, fraction)) != 1:
        raise DatasetError(
            "it is not said how many images, or in several ways",
            where="segtune sample",
            remedy="give one of --num, --per-class and --fraction",
        )
    refuse_inside(output, source)
    with atomic_folder(output) as folder:
        pools = _read(source, images)
        sizes = [len(pool.images) for _, pool in pools]
        wishes = [0] * len(pools) if per_class else _share_out(num, fraction, sizes)
        chosen = {
            name: _choose(pool, wish, per_class, np.random.default_rng([seed, place]))
            for place, ((name, pool), wish) in enumerate(zip(pools, wishes, strict=True))
        }
        listed = with_distinct_names(
            [pool.images[place] for name, pool in pools for place in chosen[name].tolist()]
        )
        waiting = iter(listed)
        documents = {
            name: pool.document([next(waiting) for _ in chosen[name]]) for name, pool in pools
        }
        write_documents(folder / "annotations", documents)
        put_listed_images(listed, folder, link=link, reporter=reporter)
    return SampleSummary(
        output=output,
        images={name: (len(chosen[name]), len(pool.images)) for name, pool in pools},
        instances_per_class=_count(pools, chosen),
    )


def _read(source: Path, images: Path | None) -> list[tuple[str, CocoPool]]:
    pools = []
    for file in find_coco_files(source, images):
        document = read_coco_document(file)
        refuse_missing_pictures(document.images)
        pools.append(
            (
                annotation_name(file.split),
                CocoPool(
                    categories=tuple(sorted(document.categories, key=lambda one: one["id"])),
                    images=tuple(sorted(document.images, key=lambda image: image.image_id)),
                    rest=document.rest,
                    renumbered=False,
                ),
            )
        )
    if len({name for name, _ in pools}) < len(pools) or not any(pool.images for _, pool in pools):
        raise DatasetError(
            "no image is listed, or several files are one split",
            where=str(source),
            remedy="give one COCO file",
        )
    return pools


def _share_out(num: int | None, fraction: float | None, sizes: Sequence[int]) -> list[int]:
    """Return how many images each split gets, one at least where it has any."""
    total = sum(sizes)
    if fraction is not None and not 0 < fraction <= 1:
        raise DatasetError(
            f"a fraction of {fraction:g} is not between 0 and 1",
            where="--fraction",
            remedy="give such as 0.1",
        )
    splits = sum(size > 0 for size in sizes)
    if num is not None and not splits <= num <= total:
        raise DatasetError(
            f"{num} images cannot be chosen from {total} in {splits} splits",
            where="--num",
            remedy=f"give a number from {splits} to {total}",
        )
    share = fraction if fraction is not None else (num or 0) / total
    exact = [share * size for size in sizes]
    given = [max(int(part), min(size, 1)) for part, size in zip(exact, sizes, strict=True)]
    goal = num if num is not None else max(round(share * total), splits)
    while sum(given) != goal:  # the split that is furthest from its share gives or takes one
        step = 1 if sum(given) < goal else -1
        gaps = [
            step * (part - own) if 1 <= own + step <= size else -np.inf
            for part, own, size in zip(exact, given, sizes, strict=True)
        ]
        given[int(np.argmax(gaps))] += step
    return given


def _choose(
    pool: CocoPool, num: int, per_class: int | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    counts = pool.counts()
    if per_class is not None:
        return choose_per_class(counts, per_class, rng)
    is_background = counts.sum(axis=1, keepdims=True) == 0
    return choose_like_whole(np.concatenate([counts, is_background], axis=1), num, rng)


def _count(
    pools: Sequence[tuple[str, CocoPool]], chosen: dict[str, NDArray[np.int64]]
) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name, pool in pools:
        counts = pool.counts()
        here, there = counts[chosen[name]].sum(axis=0).tolist(), counts.sum(axis=0).tolist()
        for class_name, own, whole in zip(pool.class_names, here, there, strict=True):
            before = found.get(class_name, (0, 0))
            found[class_name] = (before[0] + own, before[1] + whole)
    return found
