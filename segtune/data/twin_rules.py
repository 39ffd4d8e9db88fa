"""The same photograph twice, in one split or in both.

Shapes: p pairs of images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtune.data.findings import FindingLog
from segtune.data.image_facts import ImageFacts
from segtune.data.image_paths import normalised
from segtune.data.looks import alike
from segtune.data.structure_rules import ImageEntry


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image of a split."""

    entry: ImageEntry
    facts: ImageFacts
    file: Path
    """The annotation file."""

    def describe(self, other: Picture) -> str:
        """Return which picture this is to one who looks at `other`."""
        where = (
            self.entry.pointer
            if self.file == other.file
            else f"{self.file.name} {self.entry.pointer}"
        )
        return f"{other.entry.path.name}, as {self.entry.path.name} ({where})"


def decoded_pictures(
    entries: Sequence[ImageEntry], facts: Sequence[ImageFacts | None], log: FindingLog
) -> list[Picture]:
    """Return the images of a split that can be decoded."""
    return [
        Picture(entry, fact, log.file)
        for entry, fact in zip(entries, facts, strict=True)
        if fact is not None
    ]


def check_twins(pictures: Sequence[Picture], log: FindingLog) -> None:
    """Note every image of a split that shows the same as an earlier one."""
    repeated = set()
    first: dict[str, Picture] = {}
    for picture in pictures:
        earlier = first.setdefault(picture.facts.pixel_hash, picture)
        if earlier is picture:
            continue
        repeated.add(picture.entry.pointer)
        if _name(earlier) != _name(picture):  # one file listed twice is noted as such
            log.add("image-twice", picture.entry.pointer, earlier.describe(picture))
    distinct = [picture for picture in pictures if picture.entry.pointer not in repeated]
    noted = set()
    for one, other in alike([picture.facts.look for picture in distinct]).tolist():
        if other not in noted:
            noted.add(other)
            detail = distinct[one].describe(distinct[other])
            log.add("image-similar", distinct[other].entry.pointer, detail)


def check_shared_images(
    trained: Sequence[Picture], held_out: Sequence[Picture], log: FindingLog
) -> None:
    """Note in the log of the validation split every image of it that is trained on as well."""
    by_pixels = {picture.facts.pixel_hash: picture for picture in reversed(trained)}
    shared = 0
    new = []
    for picture in held_out:
        twin = by_pixels.get(picture.facts.pixel_hash)
        if twin is None:
            new.append(picture)
            continue
        shared += 1
        log.add("image-in-both-splits", picture.entry.pointer, twin.describe(picture))
    if shared and shared == len(held_out):
        log.add("splits-identical", "images", f"{shared} of {shared} images")
    noted = set()
    pairs = alike([picture.facts.look for picture in (*trained, *new)])
    across = pairs[(pairs[:, 0] < len(trained)) & (pairs[:, 1] >= len(trained))]
    for one, other in np.asarray(across).tolist():
        picture = new[other - len(trained)]
        if other not in noted:
            noted.add(other)
            detail = trained[one].describe(picture)
            log.add("image-similar-in-both-splits", picture.entry.pointer, detail)


def _name(picture: Picture) -> str:
    return normalised(picture.entry.file_name)
