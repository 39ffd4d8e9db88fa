"""What every annotation format is read into and written from: images with named instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segtune.masks import Segmentation

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

_SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def split_of_word(word: str) -> Split | None:
    """Return the split that a folder or file calls `word`, such as `Validation` or `train2017`."""
    return _SPLIT_WORDS.get(word.lower().rstrip("0123456789"))


@dataclass(frozen=True, slots=True)
class AnnotatedInstance:
    """One object: rings whose union it is, or an RLE."""

    class_name: str
    segmentation: Segmentation
    is_crowd: bool = False
    annotation_id: int | None = None
    """In a COCO file; None for sources that have no ids."""


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One picture, where it comes from and what is annotated on it; perhaps nothing."""

    file_name: str
    """Relative, with slashes; what the picture is to be called."""
    source: Path | bytes
    """The file to copy, or the content that an annotation file held."""
    size_hw: tuple[int, int]
    """In pixels, EXIF rotation applied."""
    instances: tuple[AnnotatedInstance, ...]
    place: str
    """Where it is annotated, to name in reports."""
    split: Split | None = None
    image_id: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of a COCO image entry, such as `license`."""


@dataclass(frozen=True)
class AnnotatedDataset:
    """A dataset of any format."""

    class_names: tuple[str, ...]
    """In the order that the source gives them."""
    images: tuple[AnnotatedImage, ...]
    category_ids: Mapping[str, int] | None = None
    """By class name, where the source is COCO."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """`info` and `licenses` of a COCO source."""

    @property
    def num_instances(self) -> int:
        """How many objects are annotated, crowds included."""
        return sum(len(image.instances) for image in self.images)

    def ids_by_class(self) -> dict[str, int]:
        """Return the category id of every class: the source's, or 1, 2, 3, ..."""
        if self.category_ids is not None:
            return {name: self.category_ids[name] for name in self.class_names}
        return {name: number for number, name in enumerate(self.class_names, start=1)}
