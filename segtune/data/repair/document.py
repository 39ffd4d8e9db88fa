"""The JSON document of one split while it is being repaired."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segtune.data.annotation_file import collector_paused
from segtune.data.repair.change import Change
from segtune.errors import DatasetError

Section = Literal["images", "annotations", "categories"]
_SECTIONS: tuple[Section, ...] = ("images", "annotations", "categories")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LARGEST_SIDE = 65535
_IDS = range(-(2**63), 2**63)


@dataclass(slots=True, eq=False)
class Entry:
    """One object of a list of the document."""

    pointer: str
    """In the file as it was, whatever was removed before it since."""
    values: dict[str, Any]
    is_dropped: bool = False

    def whole(self, key: str) -> int | None:
        """Return the id or reference under `key`; None unless it is a whole number of 64 bits."""
        value = self.values.get(key)
        return value if type(value) is int and value in _IDS else None

    @property
    def size_hw(self) -> tuple[int, int] | None:
        """Height and width that an image entry states; None unless both can be used."""
        sides = (self.values.get("height"), self.values.get("width"))
        if all(type(side) is int and 1 <= side <= _LARGEST_SIDE for side in sides):
            return sides  # type: ignore[return-value]  # both are integers
        return None


class SplitDocument:
    """A document whose values are changed one by one, with an account of every change."""

    def __init__(self, file: Path, document: dict[str, Any]) -> None:
        self.file = file
        self.changes: list[Change] = []
        self._document = document
        self._entries = {
            section: [
                Entry(f"{section}[{index}]", values)
                for index, values in enumerate(_listed(document, section))
                if isinstance(values, dict)
            ]
            for section in _SECTIONS
        }

    def entries(self, section: Section) -> Iterator[Entry]:
        """Yield the objects of a list that were not dropped; nothing where there is no list."""
        return (entry for entry in self._entries[section] if not entry.is_dropped)

    def set(self, entry: Entry, key: str, value: Any, repair: str) -> None:
        """Change one value of an entry."""
        before = entry.values.get(key)
        entry.values[key] = value
        self.note(f"{entry.pointer}.{key}", repair, before, value)

    def drop(self, entry: Entry, repair: str) -> None:
        """Remove an entry from its list."""
        entry.is_dropped = True
        # The mask stays in the entry that this one repeats.
        shown = {key: value for key, value in entry.values.items() if key != "segmentation"}
        self.note(entry.pointer, repair, shown, None)

    def append(self, section: Section, values: dict[str, Any], repair: str) -> None:
        """Add an entry to the end of a list."""
        pointer = f"{section}[{len(self._document[section])}]"
        self._document[section].append(values)
        self._entries[section].append(Entry(pointer, values))
        self.note(pointer, repair, None, values)

    def note(self, pointer: str, repair: str, before: Any, after: Any) -> None:
        """Account for a change that was made."""
        self.changes.append(Change.of(str(self.file), pointer, repair, before, after))

    def content(self) -> bytes:
        """Return the document as compact JSON in UTF-8, its keys in the order of the file."""
        whole = dict(self._document)
        for section in _SECTIONS:
            dropped = {id(entry.values) for entry in self._entries[section] if entry.is_dropped}
            if dropped:
                whole[section] = [part for part in whole[section] if id(part) not in dropped]
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        # Halves of surrogate pairs, which JSON can hold and UTF-8 cannot, are escaped as in JSON.
        return text.encode("utf-8", "backslashreplace") + b"\n"


def read_split(file: Path) -> SplitDocument:
    """Return the document of an annotation file.

    Raises:
        DatasetError: The file is no JSON object, so that nothing can be repaired.
    """
    content = _read_bytes(file)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    try:
        text = content.decode("utf-8-sig" if encoding in (None, "utf-8") else encoding)
        with collector_paused():
            document = json.loads(text)
    except RecursionError as error:
        raise _hopeless("the JSON is nested too deeply to be COCO", file) from error
    except ValueError as error:  # also UnicodeDecodeError, JSONDecodeError, and too many digits
        raise _hopeless(f"the file is not JSON: {error}", file) from error
    if not isinstance(document, dict):
        raise _hopeless("the file does not hold one JSON object", file)
    split = SplitDocument(file, document)
    if encoding in ("utf-16", "utf-32"):
        split.note("", "encoding", encoding.upper(), "UTF-8")
    return split


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"the file cannot be read: {error.strerror or error}",
            where=str(file),
            remedy="check path and permissions",
        ) from error


def _listed(document: dict[str, Any], section: Section) -> list[Any]:
    entries = document.get(section)
    return entries if isinstance(entries, list) else []


def _hopeless(problem: str, file: Path) -> DatasetError:
    return DatasetError(
        problem,
        where=str(file),
        remedy="export or download the file again; this cannot be repaired without guessing",
    )
