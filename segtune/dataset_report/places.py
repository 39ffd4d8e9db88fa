"""Which entry of which split a finding's place names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(r"(images|annotations|categories)\[(\d{1,9})\]")


@dataclass(frozen=True)
class Place:
    """A place as `FindingLog` writes it, `file, annotations[96].bbox: detail`, taken apart.

    A text of another form is all detail, of no split.
    """

    split: str | None
    pointer: str
    """Such as `annotations[96].bbox`; empty for the file as a whole."""
    detail: str

    @property
    def section(self) -> str | None:
        """`images`, `annotations` or `categories`, when the place is an entry of a list."""
        entry = _ENTRY.match(self.pointer)
        return entry[1] if entry else None

    @property
    def index(self) -> int:
        """Position in the section. Raises ValueError when there is no section."""
        entry = _ENTRY.match(self.pointer)
        if entry is None:
            raise ValueError(f"{self.pointer!r} is not an entry")
        return int(entry[2])


def parse_place(text: str, files: Mapping[str, Path]) -> Place:
    """Return the parts of a place.

    Args:
        text: One of `Finding.places`.
        files: Annotation file by split, as the check was given them.
    """
    for split, file in sorted(files.items(), key=lambda item: -len(str(item[1]))):
        rest = text.removeprefix(str(file))
        if rest == text:
            continue
        if rest.startswith(", "):
            pointer, _, detail = rest[2:].partition(": ")
            return Place(split, pointer, detail)
        if not rest or rest.startswith(": "):
            return Place(split, "", rest[2:])
    return Place(None, "", text)
