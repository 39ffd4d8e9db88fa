"""What `segtune check-dataset --fix` changed, as a table."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtune.cli import console

if TYPE_CHECKING:
    from segtune.data.repair.change import Change
    from segtune.repair_dataset import DatasetRepair

CHANGES_SHOWN = 5  # of each kind and file; --json and changes.json have all
_MAX_SHOWN = 40  # characters of a value


def show(repair: DatasetRepair) -> None:
    """Print the first changes of every kind, what each kind means, and where all are listed."""
    from segtune.data.repair.change import REPAIRS
    from segtune.repair_dataset import CHANGES_FILE

    if not repair.changes:
        console.show(f"nothing to repair; {repair.folder} is a copy\n")
        return
    groups: dict[str, list[Change]] = defaultdict(list)
    for change in repair.changes:
        groups[change.repair].append(change)
    for kind in sorted(groups, key=list(REPAIRS).index):
        changes = groups[kind]
        console.show(f"{kind}: {REPAIRS[kind]} ({len(changes)} x)")
        console.show_table(["where", "before", "after"], _rows(changes))
    console.show(
        f"{len(repair.changes)} changes, all in {repair.folder / CHANGES_FILE}; "
        "this is the check of the copy:\n"
    )


def _rows(changes: list[Change]) -> list[list[str]]:
    shown = changes if len(changes) == CHANGES_SHOWN + 1 else changes[:CHANGES_SHOWN]
    rows = [[_place(change), _value(change.before), _value(change.after)] for change in shown]
    if len(shown) < len(changes):
        rows.append([f"and {len(changes) - len(shown)} more", "", ""])
    return rows


def _place(change: Change) -> str:
    file = Path(change.file).name
    return f"{file}, {change.pointer}" if change.pointer else file


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
