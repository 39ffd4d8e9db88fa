"""Annotations whose image and category are in the file, and whose id is theirs alone.

Shapes: n annotations of one chunk, N of the file, I images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.annotation_chunk import AnnotationChunk
from segtune.data.findings import ChunkLog, FindingLog, quote
from segtune.data.structure_rules import ImageEntry

NOWHERE = -1
_UNKNOWN = -2


class References:
    """What ids stand for: rows of images, labels of categories."""

    def __init__(
        self,
        images: Mapping[int, ImageEntry | None] | None,
        categories: Mapping[int, str] | None,
    ) -> None:
        """Take what the file declares; None stands for no such list, to which all may refer."""
        sound = sorted(key for key, image in (images or {}).items() if image is not None)
        rows = dict.fromkeys(images or (), NOWHERE) | {key: row for row, key in enumerate(sound)}
        labels = {key: label for label, key in enumerate(sorted(categories or ()))}
        self._rows = None if images is None else _Lookup(rows)
        self._labels = None if categories is None else _Lookup(labels)

    def image_rows(self, chunk: AnnotationChunk, log: ChunkLog) -> NDArray[np.int64]:
        """Return the images (n,) by their place among the sound ones in ascending id.

        NOWHERE is that of an annotation on a faulty image, or on an unknown one, which is noted.
        """
        return self._find(self._rows, chunk, chunk.image_ids, chunk.has_image_id, "image", log)

    def labels(self, chunk: AnnotationChunk, log: ChunkLog) -> NDArray[np.int64]:
        """Return the labels (n,); NOWHERE where there is none, noted if the category is unknown."""
        return self._find(
            self._labels, chunk, chunk.category_ids, chunk.has_category_id, "category", log
        )

    @staticmethod
    def _find(
        lookup: _Lookup | None,
        chunk: AnnotationChunk,
        ids: NDArray[np.int64],
        has_id: NDArray[np.bool_],
        kind: str,
        log: ChunkLog,
    ) -> NDArray[np.int64]:
        if lookup is None:
            return np.full(len(ids), NOWHERE)
        found = lookup.find(ids)
        for row in np.flatnonzero(has_id & (found == _UNKNOWN)).tolist():
            pointer = chunk.pointer(row, f".{kind}_id")
            log.add(chunk.places[row], f"{kind}-unknown", pointer, quote(int(ids[row])))
        return np.where(has_id & (found != _UNKNOWN), found, NOWHERE)


def note_repeated_ids(
    ids: NDArray[np.int64], places: NDArray[np.int64], log: FindingLog
) -> NDArray[np.int64]:
    """Return the places of annotations whose id an earlier one has, after noting them.

    Args:
        ids: Of the annotations that have one, (N,) in file order.
        places: Their indices in the list of the file, (N,).
        log: Takes what is wrong.
    """
    _, first = np.unique(ids, return_index=True)
    is_repeated = np.ones(len(ids), bool)
    is_repeated[first] = False
    for row in np.flatnonzero(is_repeated).tolist():
        pointer = f"annotations[{places[row]}].id"
        log.add("annotation-id-duplicate", pointer, quote(int(ids[row])))
    return places[is_repeated]


@dataclass(slots=True)
class _Lookup:
    keys: NDArray[np.int64]
    values: NDArray[np.int64]

    def __init__(self, found: Mapping[int, int]) -> None:
        self.keys = np.array(sorted(found), np.int64)
        self.values = np.array([found[key] for key in self.keys.tolist()], np.int64)

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the values of keys, _UNKNOWN for one that is not there."""
        if len(self.keys) == 0:
            return np.full(len(keys), _UNKNOWN)
        places = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.values[places], _UNKNOWN)
