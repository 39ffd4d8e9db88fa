"""The account of a conversion: what was carried over, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_PLACES = 10


@dataclass
class Entry:
    """One kind of thing: how often it occurred, and up to ten places."""

    kind: str
    count: int = 0
    places: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return {"kind": self.kind, "count": self.count, "places": list(self.places)}


class Account:
    """Counts by kind, in the order in which the kinds first occurred."""

    def __init__(self) -> None:
        self._carried: dict[str, int] = {}
        self._lost: dict[str, Entry] = {}
        self._notes: dict[str, Entry] = {}

    def carry(self, kind: str, count: int = 1) -> None:
        """Count something of the source that the result has too."""
        self._carried[kind] = self._carried.get(kind, 0) + count

    def lose(self, kind: str, place: str) -> None:
        """Count something of the source that the result does not have, and where it stood."""
        _count(self._lost, kind, place)

    def note(self, kind: str, place: str) -> None:
        """Count something that the result has, but that the user should look at."""
        _count(self._notes, kind, place)

    @property
    def carried(self) -> dict[str, int]:
        """Counts by kind."""
        return dict(self._carried)

    @property
    def lost(self) -> tuple[Entry, ...]:
        """What is not in the result."""
        return tuple(self._lost.values())

    @property
    def notes(self) -> tuple[Entry, ...]:
        """What is in the result, but deserves a look."""
        return tuple(self._notes.values())

    def to_json(self) -> dict[str, Any]:
        """Return the account as plain values."""
        return {
            "carried_over": self.carried,
            "not_carried_over": [entry.to_json() for entry in self.lost],
            "notes": [entry.to_json() for entry in self.notes],
        }


def _count(entries: dict[str, Entry], kind: str, place: str) -> None:
    entry = entries.setdefault(kind, Entry(kind))
    entry.count += 1
    if len(entry.places) < MAX_PLACES:
        entry.places.append(place)
