"""The image files that both splits name: their sizes, and how their masks lie on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtune import exif
from segtune.data.repair.document import Entry, SplitDocument
from segtune.data.repair.masks_of_entries import extent, rle_size
from segtune.errors import ImageError
from segtune.images import image_size
from segtune.progress import Reporter

_FITS_PX = 1.0  # beyond the edge, from rounding and half-pixel conventions
_LEAVES_SHARE = 0.02  # of the longer side, beyond the edge: no sloppy outline

Size = tuple[int, int]  # height, width
_EXIF_WITHIN_BYTES = 1 << 18  # the blocks before it have up to 64 KB each
_SIDEWAYS = 5  # and above: orientations that exchange height and width


@dataclass(frozen=True)
class Picture:
    """One image file."""

    upright_hw: Size
    stored_hw: Size
    """Before EXIF rotation; as upright for all that is no JPEG."""

    @property
    def is_on_its_side(self) -> bool:
        """Whether EXIF exchanges sides that differ."""
        return self.upright_hw != self.stored_hw


@dataclass
class PictureUse:
    """One entry that names a picture, and the masks on it."""

    split: SplitDocument
    entry: Entry
    name: str
    picture: Picture
    extents: list[tuple[float, float, float, float]] = field(default_factory=list)
    rle_sizes: list[Size] = field(default_factory=list)

    @property
    def has_masks(self) -> bool:
        """Whether any mask tells something of the size."""
        return bool(self.extents or self.rle_sizes)

    def fits(self, size_hw: Size) -> bool:
        """Return whether all masks lie on a picture of this size."""
        beyond = max((_beyond(box, size_hw) for box in self.extents), default=0.0)
        return beyond <= _FITS_PX and all(size == size_hw for size in self.rle_sizes)

    def leaves(self, size_hw: Size) -> bool:
        """Return whether a mask clearly belongs to a picture of another size."""
        beyond = max((_beyond(box, size_hw) for box in self.extents), default=0.0)
        too_far = beyond > max(_FITS_PX, _LEAVES_SHARE * max(size_hw))
        return too_far or any(size != size_hw for size in self.rle_sizes)


def read_pictures(
    splits: Iterable[SplitDocument], images_root: Path, *, reporter: Reporter
) -> list[PictureUse]:
    """Return every entry whose image file is there and has a size, with its masks."""
    entries = [(split, entry) for split in splits for entry in split.entries("images")]
    known: dict[str, Picture | None] = {}
    uses = []
    with reporter.task("Reading image sizes", total=len(entries)) as task:
        for split, entry in entries:
            name = entry.values.get("file_name")
            if isinstance(name, str) and name:
                if name not in known:
                    known[name] = _read(images_root, name)
                picture = known[name]
                if picture is not None:
                    uses.append(PictureUse(split, entry, name, picture))
            task.advance()
    _add_masks(uses)
    return uses


def by_image_id(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    """Return image entries by their id; those without a sound one are left out."""
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        own_id = entry.whole("id")
        if own_id is not None:
            found[own_id].append(entry)
    return found


def _read(images_root: Path, name: str) -> Picture | None:
    path = images_root / name
    try:
        if not path.is_file():
            return None
        upright = image_size(path)
        with path.open("rb") as stream:
            beginning = stream.read(_EXIF_WITHIN_BYTES)
    except (ImageError, OSError, ValueError):  # the check of the copy says what is wrong with it
        return None
    if exif.orientation(beginning) < _SIDEWAYS:
        return Picture(upright, upright)
    return Picture(upright, (upright[1], upright[0]))


def _add_masks(uses: Sequence[PictureUse]) -> None:
    of_entry = {id(use.entry): use for use in uses}
    for split in {id(use.split): use.split for use in uses}.values():
        images = by_image_id(split.entries("images"))
        for annotation in split.entries("annotations"):
            image_id = annotation.whole("image_id")
            for image in () if image_id is None else images.get(image_id, ()):
                use = of_entry.get(id(image))
                if use is not None:
                    _add_mask(use, annotation.values.get("segmentation"))


def _add_mask(use: PictureUse, segmentation: Any) -> None:
    box, size = extent(segmentation), rle_size(segmentation)
    if box is not None:
        use.extents.append(box)
    if size is not None:
        use.rle_sizes.append(size)


def _beyond(box: tuple[float, float, float, float], size_hw: Size) -> float:
    height, width = size_hw
    return max(-box[0], -box[1], box[2] - width, box[3] - height)
