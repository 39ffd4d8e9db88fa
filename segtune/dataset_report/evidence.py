"""The pictures that show what a finding is about, or say why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.dataset_report.crops import draw_annotation, draw_image
from segtune.dataset_report.inline import data_uri
from segtune.dataset_report.loose import LooseAnnotation, LooseImage, LooseSplit
from segtune.dataset_report.photographs import Photographs
from segtune.dataset_report.places import Place
from segtune.dataset_report.shapes import Shape

MOST_PICTURES = 8
"""Of one finding."""
PAGE_PICTURES = 160
"""Of all findings together; about 20 kB each."""
_NEIGHBOURS_DRAWN = 60
_MOST_BLANK_PIXELS = 5 * 10**7
_BLANK_GREY = 96
_NAME_SHOWN = 60  # characters of a class name in the text of a picture


@dataclass(frozen=True)
class Evidence:
    """One place of a finding, with a picture of it where one can be made."""

    place: Place
    source: str | None
    """Data URI."""
    alt: str
    class_name: str | None
    file_name: str
    note: str
    """What is not in the picture, or why there is none; perhaps empty."""


class EvidenceMaker:
    """Makes pictures for the findings of both splits."""

    def __init__(self, splits: Mapping[str, LooseSplit], photographs: Photographs) -> None:
        self._splits = splits
        self._photographs = photographs

    def of(self, places: Sequence[Place], most: int) -> list[Evidence]:
        """Return pictures of up to `most` places; places that are on no image have none."""
        found: list[Evidence] = []
        for place in places:
            if len(found) == most:
                break
            evidence = self._of_place(place)
            if evidence is not None:
                found.append(evidence)
        return found

    def _of_place(self, place: Place) -> Evidence | None:
        split = self._splits.get(place.split or "")
        if split is None or place.section not in ("images", "annotations"):
            return None
        if place.section == "images":
            image = split.image(place.index)
            return None if image is None else self._of_image(place, split, image)
        annotation = split.annotation(place.index)
        return None if annotation is None else self._of_annotation(place, split, annotation)

    def _of_image(self, place: Place, split: LooseSplit, image: LooseImage) -> Evidence:
        picture = self._photographs.read(image)
        if isinstance(picture, str):
            return Evidence(place, None, "", None, image.file_name, picture)
        annotations = [split.annotation(i) for i in split.annotations_of.get(image.index, ())]
        shapes = [each.shape for each in annotations[:_NEIGHBOURS_DRAWN] if each is not None]
        drawn = draw_image(picture, shapes, image.stated_hw)
        note = ""
        if len(annotations) > len(shapes):
            note = f"{len(shapes)} of {len(annotations)} annotations drawn"
        alt = f"Image {image.file_name} with {_counted(len(shapes), 'annotation')} drawn in"
        return Evidence(place, data_uri(drawn), alt, None, image.file_name, note)

    def _of_annotation(
        self, place: Place, split: LooseSplit, annotation: LooseAnnotation
    ) -> Evidence:
        image, name = annotation.image, annotation.class_name
        if image is None:
            return Evidence(place, None, "", name, "", "its image is not listed")
        shape = annotation.shape
        lacks = list(shape.lacks)
        photograph = self._photographs.read(image)
        if isinstance(photograph, str):
            lacks.insert(0, f"the photograph ({photograph})")
            canvas = _blank(image.stated_hw)
        else:
            canvas = photograph
        drawn = None
        if canvas is not None:
            drawn = draw_annotation(canvas, shape, self._neighbours(split, annotation, image))
        if drawn is None:
            if not lacks:
                lacks.append("it lies far off its image")
            return Evidence(place, None, "", name, image.file_name, "; ".join(lacks))
        has_mask = bool(shape.rings) or shape.bitmap is not None
        parts = ["mask"] * has_mask + ["box"] * (shape.box is not None)
        alt = (
            f"{(name or 'Unknown class')[:_NAME_SHOWN]} on {image.file_name}: "
            f"its {' and '.join(parts)} drawn in"
        )
        return Evidence(place, data_uri(drawn), alt, name, image.file_name, "; ".join(lacks))

    def _neighbours(
        self, split: LooseSplit, annotation: LooseAnnotation, image: LooseImage
    ) -> list[Shape]:
        rows = split.annotations_of.get(image.index, [])[:_NEIGHBOURS_DRAWN]
        others = [split.annotation(row) for row in rows if row != annotation.index]
        return [other.shape for other in others if other is not None]


def _blank(size_hw: tuple[int, int] | None) -> NDArray[np.uint8] | None:
    """Return what stands for a photograph that cannot be read, None for a huge one."""
    if size_hw is None or size_hw[0] * size_hw[1] > _MOST_BLANK_PIXELS:
        return None
    return np.full((*size_hw, 3), _BLANK_GREY, np.uint8)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
