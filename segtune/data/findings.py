"""What was found wrong with one annotation file, counted and placed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

from segtune.data.rules import RULES, Rule, Severity
from segtune.errors import DatasetError

MAX_PLACES = 10
_MAX_SHOWN = 60  # characters of a value that is quoted from a file
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One rule that one file breaks: how often, and in up to ten places."""

    code: str
    severity: Severity
    count: int
    places: tuple[str, ...]
    """Each as `file, annotations[96].category_id: what is there`."""
    message: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return asdict(self) | {"places": list(self.places)}


class Note(Protocol):
    """What a broken rule is told to, such as `FindingLog.add`."""

    def __call__(self, code: str, pointer: str = "", detail: str = "") -> None:
        """Note that the rule `code` is broken at `pointer`."""


class FindingLog:
    """Collects what is wrong with one annotation file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[tuple[str, str]]] = {}

    def add(self, code: str, pointer: str = "", detail: str = "") -> None:
        """Note that the rule `code` is broken at `pointer`, such as `annotations[96].bbox`."""
        self._counts[code] = self._counts.get(code, 0) + 1
        places = self._places.setdefault(code, [])
        if len(places) < MAX_PLACES:
            places.append((pointer, detail))

    def findings(self) -> tuple[Finding, ...]:
        """Return one finding a broken rule: errors, then warnings, then infos."""
        return tuple(
            Finding(
                rule.code,
                rule.severity,
                self._counts[rule.code],
                tuple(self._place(*place) for place in self._places[rule.code]),
                rule.message,
                rule.remedy,
            )
            for severity in SEVERITIES
            for rule in RULES.values()
            if rule.severity == severity and rule.code in self._counts
        )

    @property
    def has_errors(self) -> bool:
        """Whether a rule is broken that keeps the file from being used."""
        return any(RULES[code].severity == "error" for code in self._counts)

    def raise_first_error(self) -> None:
        """Raise DatasetError for the error that was noted first; do nothing without one."""
        broken: list[Rule] = [RULES[code] for code in self._counts]
        for rule in broken:
            if rule.severity == "error":
                place = self._place(*self._places[rule.code][0])
                raise DatasetError(rule.message, where=place, remedy=rule.remedy)

    def _place(self, pointer: str, detail: str) -> str:
        place = f"{self.file}, {pointer}" if pointer else str(self.file)
        return f"{place}: {detail}" if detail else place


class ChunkLog:
    """Collects what is wrong with some entries, however ordered, to pass it on in file order."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, str, str, str]] = []

    def add(self, place: int, code: str, pointer: str = "", detail: str = "") -> None:
        """Note a broken rule, see `FindingLog.add`, for the entry at index `place` of the list."""
        self._notes.append((place, code, pointer, detail))

    def at(self, place: int) -> Note:
        """Return what notes broken rules of one entry."""
        return partial(self.add, place)

    def pass_on(self, log: FindingLog) -> None:
        """Move all notes to the log of the file."""
        self._notes.sort(key=itemgetter(0))
        for _, code, pointer, detail in self._notes:
            log.add(code, pointer, detail)
        self._notes.clear()


def quote(value: object) -> str:
    """Return a value from a file as short printable text."""
    # Containers may be huge or deeply nested; their kind says enough.
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge number"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = repr(value[: _MAX_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
