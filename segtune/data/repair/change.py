"""What a repair changed: where, by which rule, from what to what."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

REPAIRS: dict[str, str] = {
    "encoding": "UTF-16 or UTF-32 text is written as UTF-8",
    "number": "text of digits, or a number with a decimal point, becomes a whole number",
    "file-name": "a file_name becomes the name of the file on disk",
    "image-size": "a size that is missing or wrong becomes that of the file",
    "image-size-exif": "a size from before the EXIF rotation is turned, as the masks are",
    "exif-orientation": "the EXIF rotation is switched off, since size and masks are without it",
    "image-repeated": "an image entry that is there twice is removed",
    "image-joined": "a second entry of the same file is removed",
    "image-moved": "an annotation of a second entry moves to the first",
    "category-repeated": "a category entry that is there twice is removed",
    "category-declared": "a category of the other split is declared here too",
    "category-id": "a category id follows that of train",
    "iscrowd": "iscrowd is 0, unless the file says otherwise by another name or type",
    "ring": "a polygon without area is removed from an instance that has others",
    "box": "a bbox that is missing, broken or inexact is computed from the mask",
    "box-edge": "a bbox is cut at the edge of its image",
    "area": "an area that is missing, broken or inexact is computed from the mask",
    "annotation-repeated": "an annotation that is there twice is removed",
    "annotation-id": "an annotation id that is missing or taken is replaced by a new one",
}
"""What each repair does, by its stable code."""


_DEEPEST = 8  # levels of a value that are shown


@dataclass(frozen=True, slots=True)
class Change:
    """One value that a repair changed, removed or added."""

    file: str
    pointer: str
    """In the file as it was, such as `annotations[96].area`."""
    repair: str
    """One of `REPAIRS`."""
    before: Any
    """The JSON value as it was; None for one that was not there."""
    after: Any
    """The JSON value now; None for one that was removed."""

    @classmethod
    def of(cls, file: str, pointer: str, repair: str, before: Any, after: Any) -> Change:
        """Return a change whose values can be written as JSON, whatever the file held.

        Numbers that are not finite become text, and what is nested too deeply is left out.
        """
        return cls(file, pointer, repair, _plain(before), _plain(after))

    def to_json(self) -> dict[str, Any]:
        """Return the change as plain values."""
        return asdict(self)


def _plain(value: Any, depth: int = 0) -> Any:
    if depth == _DEEPEST and isinstance(value, list | dict):
        return "..."
    if isinstance(value, list):
        return [_plain(part, depth + 1) for part in value]
    if isinstance(value, dict):
        return {_text(key): _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Return text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "backslashreplace").decode()
