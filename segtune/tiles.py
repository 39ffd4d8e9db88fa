"""A large picture predicted tile by tile, with instances joined that a seam has cut.

Shapes: n instances, H x W picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtune import masks
from segtune.errors import RecipeError
from segtune.instances import Instances
from segtune.masks import Rle
from segtune.predictor import InstancePredictor
from segtune.scans import Scan

SMALLEST_SIDE = 64
_SAME = 0.5  # IoU, where two tiles overlap, from which on two masks are of one instance
_EDGE_SHARE = 0.01  # of a tile's side: so near to a seam, a box counts as cut by it
_WHOLE_SHARE = 0.8  # of all that was found of an instance; who has so much needs no joining


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut.

    Args:
        side_px: Of a tile, in pixels of the picture.
        overlap: Share of its side that a tile has in common with the next. What is smaller than
            the overlap lies whole in one of the tiles.

    Raises:
        RecipeError: The tiles are too small, or overlap by half or more.
    """

    side_px: int = 1024
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if self.side_px < SMALLEST_SIDE:
            raise RecipeError(
                f"tiles of {self.side_px} px are too small",
                where="tile",
                remedy=f"give {SMALLEST_SIDE} or more",
            )
        if not 0 <= self.overlap < 0.5:
            raise RecipeError(
                f"tiles cannot overlap by {self.overlap:g} of their side",
                where="overlap",
                remedy="give a share from 0 to below 0.5, such as 0.2",
            )

    def starts(self, length: int) -> list[int]:
        """Return where tiles begin along a side of the picture; the last one ends with it."""
        if length <= self.side_px:
            return [0]
        stride = max(1, round(self.side_px * (1 - self.overlap)))
        return [*range(0, length - self.side_px, stride), length - self.side_px]


@dataclass(frozen=True)
class _Tile:
    """Where a tile lies in the picture, and which of its sides are seams."""

    left: int
    top: int
    right: int
    bottom: int
    seams: tuple[bool, bool, bool, bool]  # left, top, right, bottom

    @property
    def box(self) -> NDArray[np.float64]:
        return np.array([self.left, self.top, self.right, self.bottom], np.float64)

    def cuts(self, box: NDArray[np.float64]) -> bool:
        """Return whether a box, in pixels of the picture, ends at a seam."""
        margin = max(1.0, _EDGE_SHARE * min(self.right - self.left, self.bottom - self.top))
        return bool((np.array(self.seams) & (np.abs(box - self.box) <= margin)).any())


@dataclass(frozen=True)
class _Fragment:
    """What one tile shows of an instance."""

    tile: _Tile
    box: NDArray[np.float64]  # xyxy in the picture
    score: float
    label: int
    rle: Rle  # of the tile
    is_cut: bool

    def touches(self, zone: NDArray[np.int64]) -> bool:
        low, high = np.maximum(self.box[:2], zone[:2]), np.minimum(self.box[2:], zone[2:])
        return bool((low < high).all())

    def within(self, zone: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the mask inside a zone of the picture."""
        left, top, right, bottom = (
            zone - [self.tile.left, self.tile.top, self.tile.left, self.tile.top]
        ).tolist()
        return masks.decode_box(self.rle, (left, top, right, bottom))

    def in_picture(self, size_hw: tuple[int, int]) -> Rle:
        """Return the mask (H, W) of the picture."""
        left, top, right, bottom = masks.occupied_box(self.rle)
        window = masks.decode_box(self.rle, (left, top, right, bottom))
        return masks.encode_window(window.T, self.tile.top + top, self.tile.left + left, size_hw)


def predict_tiled(
    predictor: InstancePredictor,
    scan: Scan,
    tiling: Tiling,
    *,
    threshold: float,
    batch_size: int,
) -> Instances:
    """Return the instances of a picture, by descending score.

    Memory holds one strip of tiles, the batches under way, and what was found, as RLE.

    Args:
        predictor: Predicts a tile as if it were a picture.
        scan: The picture.
        tiling: How to cut it.
        threshold: Scores must be above this.
        batch_size: Tiles that may go through the network together.

    Raises:
        ImageError: The picture cannot be read to its end.
    """
    tiles: list[_Tile] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        for tile, pixels in _cut(scan, tiling):
            tiles.append(tile)
            yield pixels

    fragments: list[_Fragment] = []
    joined = _Groups()
    near: list[tuple[_Tile, range]] = []  # tiles that later ones may overlap
    found = predictor.predict(images(), threshold=threshold, batch_size=batch_size)
    for index, instances in enumerate(found):
        tile = tiles[index]
        first = len(fragments)
        fragments += _fragments(tile, instances)
        fresh = range(first, len(fragments))
        joined.extend(len(fresh))
        near = [(other, rows) for other, rows in near if other.bottom > tile.top]
        for other, rows in near:
            _join(fragments, joined, (tile, fresh), (other, rows))
        near.append((tile, fresh))
    return _united(fragments, joined, scan.size_hw)


def _cut(scan: Scan, tiling: Tiling) -> Iterator[tuple[_Tile, NDArray[np.uint8]]]:
    """Yield tiles with their pixels, row by row from left to right."""
    height, width = scan.size_hw
    for top in tiling.starts(height):
        bottom = min(top + tiling.side_px, height)
        strip = scan.rows(top, bottom)
        for left in tiling.starts(width):
            right = min(left + tiling.side_px, width)
            seams = (left > 0, top > 0, right < width, bottom < height)
            yield _Tile(left, top, right, bottom, seams), strip[:, left:right].copy()


def _fragments(tile: _Tile, instances: Instances) -> list[_Fragment]:
    offset = np.array([tile.left, tile.top, tile.left, tile.top])
    boxes = instances.boxes.astype(np.float64) + offset
    return [
        _Fragment(tile, box, float(score), int(label), rle, tile.cuts(box))
        for box, score, label, rle in zip(
            boxes, instances.scores, instances.labels, instances.rles, strict=True
        )
    ]


class _Groups:
    """Sets of fragments that belong together, and fragments that are dropped (union-find)."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.dropped: set[int] = set()

    def extend(self, count: int) -> None:
        self.parents.extend(range(len(self.parents), len(self.parents) + count))

    def root(self, index: int) -> int:
        while self.parents[index] != index:
            self.parents[index] = self.parents[self.parents[index]]
            index = self.parents[index]
        return index

    def unite(self, first: int, second: int) -> None:
        self.parents[self.root(second)] = self.root(first)

    def groups(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for index in range(len(self.parents)):
            if index not in self.dropped:
                members.setdefault(self.root(index), []).append(index)
        return list(members.values())


def _join(
    fragments: Sequence[_Fragment],
    joined: _Groups,
    one: tuple[_Tile, range],
    other: tuple[_Tile, range],
) -> None:
    """Unite fragments of two tiles that agree where the tiles overlap.

    Of two that agree but for their label, the one that a seam cuts is dropped.
    """
    zone = np.concatenate(
        [np.maximum(one[0].box[:2], other[0].box[:2]), np.minimum(one[0].box[2:], other[0].box[2:])]
    ).astype(np.int64)
    if (zone[:2] >= zone[2:]).any():
        return
    theirs = [
        (row, fragments[row].within(zone)) for row in other[1] if fragments[row].touches(zone)
    ]
    for mine in one[1]:
        if not theirs or not fragments[mine].touches(zone):
            continue
        bitmap = fragments[mine].within(zone)
        for row, their_bitmap in theirs:
            union = np.count_nonzero(bitmap | their_bitmap)
            if union == 0 or np.count_nonzero(bitmap & their_bitmap) <= _SAME * union:
                continue
            if fragments[mine].label == fragments[row].label:
                joined.unite(row, mine)
            elif fragments[mine].is_cut != fragments[row].is_cut:
                joined.dropped.add(mine if fragments[mine].is_cut else row)


def _united(fragments: Sequence[_Fragment], joined: _Groups, size_hw: tuple[int, int]) -> Instances:
    rows = [_unite([fragments[index] for index in group], size_hw) for group in joined.groups()]
    if not rows:
        return Instances.none(size_hw)
    boxes, scores, labels, rles = zip(*rows, strict=True)
    order = np.argsort(-np.asarray(scores, np.float32), kind="stable")
    return Instances(
        np.asarray(boxes, np.float32),
        np.asarray(scores, np.float32),
        np.asarray(labels, np.int64),
        tuple(rles),
        size_hw,
    ).select(order)


def _unite(
    group: Sequence[_Fragment], size_hw: tuple[int, int]
) -> tuple[NDArray[np.float64], float, int, Rle]:
    """Return box, score, label and mask of the one instance that fragments show.

    A tile that shows all of it speaks for it alone: masks near a seam are the less exact ones.
    """
    rles = [fragment.in_picture(size_hw) for fragment in group]
    if len(group) == 1:
        return group[0].box, group[0].score, group[0].label, rles[0]
    union = coco_mask.merge(rles)
    whole = [
        (fragment, rle)
        for fragment, rle in zip(group, rles, strict=True)
        if not fragment.is_cut and coco_mask.area(rle) >= _WHOLE_SHARE * coco_mask.area(union)
    ]
    if whole:
        best, rle = max(whole, key=lambda pair: pair[0].score)
        return best.box, best.score, best.label, rle
    corners = np.stack([fragment.box for fragment in group])
    box = np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
    best = max(group, key=lambda fragment: fragment.score)
    joined = Rle(size=list(size_hw), counts=union["counts"].decode("ascii"))
    return box, best.score, best.label, joined
