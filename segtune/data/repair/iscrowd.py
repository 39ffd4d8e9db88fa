"""Whether an annotation is a crowd, as 0 or 1."""

from __future__ import annotations

from typing import Any

from segtune.data.repair.document import SplitDocument
from segtune.data.repair.whole_numbers import as_whole_number

_OTHER_NAME = "is_crowd"


def repair_iscrowd(split: SplitDocument) -> None:
    """Write 0 where iscrowd is missing, and the number where it is true, false or text."""
    for entry in split.entries("annotations"):
        stated = entry.values.get("iscrowd")
        meant = _meant(entry.values.get(_OTHER_NAME)) if stated is None else _meant(stated)
        if stated is None and entry.values.get(_OTHER_NAME) is None:
            meant = 0
        if meant is not None and (type(stated) is not int or stated != meant):
            split.set(entry, "iscrowd", meant, "iscrowd")


def _meant(value: Any) -> int | None:
    number = int(value) if type(value) in (bool, int) else as_whole_number(value)
    return number if number in (0, 1) else None
