"""Which label of the network stands for which category of the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One class of objects: its label in the network (0..K-1), its COCO id and its name."""

    label: int
    id: int
    name: str


class Categories:
    """The K classes of a dataset, labelled 0..K-1 in ascending order of category id."""

    def __init__(self, id_and_name: Iterable[tuple[int, str]]) -> None:
        ordered = sorted(id_and_name)
        self._all = tuple(Category(label, *pair) for label, pair in enumerate(ordered))
        self._label_of = {category.id: category.label for category in self._all}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Category]:
        return iter(self._all)

    def __getitem__(self, label: int) -> Category:
        return self._all[label]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Categories) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return f"Categories({[(category.id, category.name) for category in self._all]})"

    @property
    def names(self) -> list[str]:
        """The K class names, by label."""
        return [category.name for category in self._all]

    def label_of(self, category_id: int) -> int:
        """Return the label of a category id. Raises KeyError for an id that is not declared."""
        return self._label_of[category_id]

    def to_json(self) -> list[dict[str, object]]:
        """Return the `categories` list of a COCO file."""
        return [{"id": category.id, "name": category.name} for category in self._all]

    @classmethod
    def from_json(cls, entries: Iterable[dict[str, object]]) -> Categories:
        """Read the `categories` list of a COCO file, whatever its order."""
        return cls((int(str(entry["id"])), str(entry["name"])) for entry in entries)
