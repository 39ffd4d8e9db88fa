"""The order of class names, and names that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.source_documents import read_text

NO_CLASSES = ("__ignore__", "_background_")
"""Labels that tools write into their lists without meaning a class."""


def read_names(folder: Path, file_names: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of the first of the files that is there, without labels of no class."""
    for name in file_names:
        if (folder / name).is_file():
            lines = read_text(folder / name).splitlines()
            return tuple(line for line in lines if line.strip() and line not in NO_CLASSES)
    return ()


def in_order(found: Iterable[str], declared: Sequence[str]) -> tuple[str, ...]:
    """Return all class names: the declared ones in their order, then the others by alphabet."""
    return tuple(dict.fromkeys([*declared, *sorted(found)]))


def note_near_equal(names: Sequence[str], account: Account) -> None:
    """Note names that differ in case and blanks only: likely one class, spelt in two ways."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault("".join(name.split()).casefold(), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            account.note(
                "classes whose names differ in case or blanks only",
                ", ".join(repr(name) for name in group),
            )


def not_unicode(text: str) -> DatasetError:
    """Return the error for a text of the source that no file can hold."""
    return DatasetError(
        "a name is not Unicode text",
        where=repr(text),
        remedy="rename it, or export the dataset again",
    )


def parse_renames(renames: Sequence[str]) -> dict[str, str]:
    """Return new names by old ones, of texts `old=new`.

    Raises:
        DatasetError: A text has no `=`, or one of the names is empty.
    """
    parsed = {}
    for text in renames:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise DatasetError(
                f"'{text}' does not say what to rename",
                where=f"--rename {text}",
                remedy="write --rename OLD=NEW",
            )
        parsed[old] = new
    return parsed


def refuse_unknown(renames: Mapping[str, str], names: Iterable[str]) -> None:
    """Raise DatasetError for a class that is to be renamed but not there."""
    known = list(names)
    for old in renames:
        if old not in known:
            raise DatasetError(
                f"there is no class '{old}' to rename",
                where=f"--rename {old}={renames[old]}",
                remedy=f"the classes are: {', '.join(known)}",
            )


def renamed(dataset: AnnotatedDataset, renames: Mapping[str, str]) -> AnnotatedDataset:
    """Return the dataset with other class names; two classes that get one name become one."""
    refuse_unknown(renames, dataset.class_names)
    names = tuple(dict.fromkeys(renames.get(name, name) for name in dataset.class_names))
    ids: dict[str, int] = {}
    for name, category_id in (dataset.category_ids or {}).items():
        ids.setdefault(renames.get(name, name), category_id)
    images = tuple(
        replace(
            image,
            instances=tuple(
                replace(one, class_name=renames.get(one.class_name, one.class_name))
                for one in image.instances
            ),
        )
        for image in dataset.images
    )
    return replace(
        dataset,
        class_names=names,
        images=images,
        category_ids=ids if dataset.category_ids else None,
    )
