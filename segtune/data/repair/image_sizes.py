"""Stated sizes that agree with image files, their EXIF rotation and the masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum, auto

from segtune.data.repair.pictures import PictureUse


class _Finding(Enum):
    NOTHING = auto()
    FROM_FILE = auto()
    DRAWN_UPRIGHT = auto()
    DRAWN_AS_STORED = auto()
    EITHER = auto()  # of the last two


def repair_image_sizes(uses: Sequence[PictureUse]) -> set[str]:
    """Correct sizes where the masks tell what is right; return names whose EXIF is to be reset.

    A size as before the EXIF rotation is ambiguous where the masks fit both ways. The stored way
    is taken, as the tool that wrote the size knew no other, unless another photograph of the
    dataset was annotated upright.
    """
    by_name: dict[str, list[tuple[PictureUse, _Finding]]] = defaultdict(list)
    for use in uses:
        by_name[use.name].append((use, _finding(use)))
    some_upright = any(_is_drawn_upright(use) for use in uses)
    turned = set()
    for name, findings in by_name.items():
        kinds = {kind for _, kind in findings}
        as_stored = {_Finding.DRAWN_AS_STORED, _Finding.EITHER}
        if kinds <= as_stored and (_Finding.DRAWN_AS_STORED in kinds or not some_upright):
            turned.add(name)
        for use, kind in findings:
            if kind is _Finding.FROM_FILE:
                _set_size(use, "image-size")
            elif kind is _Finding.DRAWN_UPRIGHT:
                _set_size(use, "image-size-exif")
    return turned


def _finding(use: PictureUse) -> _Finding:
    upright, stored = use.picture.upright_hw, use.picture.stored_hw
    stated = use.entry.size_hw
    if stated == upright:
        return _Finding.NOTHING
    if stated == stored and use.picture.is_on_its_side:
        if not use.has_masks or (use.fits(upright) and use.leaves(stored)):
            return _Finding.DRAWN_UPRIGHT
        if not use.fits(stored):
            return _Finding.NOTHING
        return _Finding.DRAWN_AS_STORED if use.leaves(upright) else _Finding.EITHER
    if stated is None or not use.has_masks:
        return _Finding.NOTHING if use.leaves(upright) else _Finding.FROM_FILE
    is_proven = use.fits(upright) and use.leaves(stated)
    return _Finding.FROM_FILE if is_proven else _Finding.NOTHING


def _is_drawn_upright(use: PictureUse) -> bool:
    picture = use.picture
    if not picture.is_on_its_side or not use.has_masks:
        return False
    return use.fits(picture.upright_hw) and use.leaves(picture.stored_hw)


def _set_size(use: PictureUse, repair: str) -> None:
    for key, side in zip(("height", "width"), use.picture.upright_hw, strict=True):
        if use.entry.values.get(key) != side or type(use.entry.values.get(key)) is not int:
            use.split.set(use.entry, key, side, repair)
