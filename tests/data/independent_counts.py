"""Faults of a COCO document, counted anew in a few lines each: a second opinion on the rules.

Nothing of segtune is used. Masks are drawn by OpenCV; compressed RLE is read by pycocotools. Where
a rule has a tolerance, its number is stated here once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Annotation = dict[str, Any]
Points = NDArray[np.float64]


class Document:
    """A COCO document, its annotations by image."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.images = {image["id"]: image for image in document["images"]}
        self.categories = document["categories"]
        self.annotations: list[Annotation] = document["annotations"]
        self.sound = [one for one in self.annotations if self._has_mask(one)]
        self.targets = [one for one in self.sound if not one.get("iscrowd")]

    def _has_mask(self, one: Annotation) -> bool:
        mask = one.get("segmentation")
        return bool(mask) and (isinstance(mask, dict) or all(len(ring) >= 6 for ring in mask))

    def size(self, one: Annotation) -> tuple[int, int]:
        """Return height and width of the image of an annotation."""
        image = self.images[one["image_id"]]
        return image["height"], image["width"]

    def rings(self) -> Iterator[tuple[Annotation, Points]]:
        """Yield every ring of a sound polygon, (n, 2)."""
        for one in self.sound:
            if isinstance(one["segmentation"], list):
                for ring in one["segmentation"]:
                    yield one, np.reshape(np.array(ring, float), (-1, 2))

    def bitmap(self, one: Annotation) -> NDArray[np.bool_]:
        """Return the mask of an annotation, drawn by OpenCV."""
        height, width = self.size(one)
        if isinstance(one["segmentation"], dict):
            rle = one["segmentation"]
            if isinstance(rle["counts"], str):
                return coco_mask.decode(rle).astype(bool)
            filled = np.arange(len(rle["counts"])) % 2 == 1
            return np.repeat(filled, rle["counts"]).reshape(width, height).T
        canvas = np.zeros((height, width), np.uint8)
        for ring in one["segmentation"]:
            points = np.reshape(np.array(ring, float), (-1, 2)) - 0.5
            cv2.fillPoly(canvas, [np.round(points * 256).astype(np.int32)], 1, shift=8)
        return canvas.astype(bool)

    def extent(self, one: Annotation) -> NDArray[np.float64]:
        """Return x1, y1, x2, y2 around a mask, cut at the image."""
        height, width = self.size(one)
        if isinstance(one["segmentation"], dict):
            rows, columns = np.nonzero(self.bitmap(one))
            return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        points = np.concatenate([np.reshape(ring, (-1, 2)) for ring in one["segmentation"]])
        limits = [width, height]
        return np.concatenate([points.min(0).clip(0, limits), points.max(0).clip(0, limits)])

    def box(self, one: Annotation) -> NDArray[np.float64]:
        """Return x1, y1, x2, y2 of a bbox, cut at the image."""
        height, width = self.size(one)
        x, y, w, h = one["bbox"]
        return np.clip(np.array([x, y, x + w, y + h], float), 0, [width, height, width, height])

    def area(self, one: Annotation) -> float:
        """Return what rings enclose, added up, or the pixels of an RLE."""
        if isinstance(one["segmentation"], dict):
            return float(self.bitmap(one).sum())
        return sum(abs(shoelace(np.reshape(ring, (-1, 2)))) for ring in one["segmentation"])


def shoelace(points: Points) -> float:
    """Return the signed area of a ring."""
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def image_missing(document: Document) -> int:
    """All: the annotations came without images."""
    return len(document.images)


def annotation_id_duplicate(document: Document) -> int:
    ids = [one["id"] for one in document.annotations]
    return len(ids) - len(set(ids))


def segmentation_missing(document: Document) -> int:
    return sum(one.get("segmentation") is None for one in document.annotations)


def polygon_too_short(document: Document) -> int:
    masks = [one.get("segmentation") for one in document.annotations]
    return sum(len(ring) < 6 for mask in masks if isinstance(mask, list) for ring in mask)


def area_not_positive(document: Document) -> int:
    return sum(one["area"] <= 0 for one in document.annotations)


def iscrowd_missing(document: Document) -> int:
    return sum("iscrowd" not in one for one in document.annotations)


def crowd_polygon(document: Document) -> int:
    return sum(
        one.get("iscrowd") == 1 and isinstance(one["segmentation"], list) for one in document.sound
    )


def polygon_beyond_edge(document: Document) -> int:
    """Count rings that leave their image by more than a pixel."""
    found = 0
    for one, points in document.rings():
        height, width = document.size(one)
        found += bool((points < -1).any() or (points > [width + 1, height + 1]).any())
    return found


def box_beyond_edge(document: Document) -> int:
    """Count boxes that leave their image by more than a pixel."""
    found = 0
    for one in document.sound:
        height, width = document.size(one)
        x, y, w, h = one["bbox"]
        found += min(x, y) < -1 or x + w > width + 1 or y + h > height + 1
    return found


def box_mismatch(document: Document) -> int:
    """Count boxes that are over 3 pixels and over 5 % of the mask's side from its extent."""
    found = 0
    for one in document.sound:
        extent = document.extent(one)
        tolerance = max(3, 0.05 * (extent[2:] - extent[:2]).max())
        found += bool(np.abs(document.box(one) - extent).max() > tolerance)
    return found


def _areas_off(document: Document) -> list[tuple[Annotation, bool]]:
    """Return annotations with an area over 10 % and a half outline off; whether it is the box's."""
    found = []
    for one in document.sound:
        height, width = document.size(one)
        extent, area = document.extent(one), document.area(one)
        goes_on = isinstance(one["segmentation"], list) and any(
            (points < 0).any() or (points > [width, height]).any()
            for points in (np.reshape(ring, (-1, 2)) for ring in one["segmentation"])
        )
        off = abs(one["area"] - area) > 0.1 * area + (extent[2:] - extent[:2]).sum()
        if off and not goes_on and one["area"] > 0:
            sides = document.box(one)[2:] - document.box(one)[:2]
            found.append((one, abs(one["area"] - sides.prod()) <= 0.01 * sides.prod() + 1))
    return found


def area_is_box(document: Document) -> int:
    """Count areas that are the box's, if they are most of those that could tell."""
    boxed = sum(is_box for _, is_box in _areas_off(document))
    telling = 0
    for one in document.sound:
        sides, area = document.box(one)[2:] - document.box(one)[:2], document.area(one)
        extent = document.extent(one)
        off = abs(sides.prod() - area) > 0.1 * area + (extent[2:] - extent[:2]).sum()
        telling += bool(off)
    return boxed if boxed > telling / 2 else 0


def area_mismatch(document: Document) -> int:
    """Count the other areas that are off."""
    return len(_areas_off(document)) - area_is_box(document)


def polygon_repeated_point(document: Document) -> int:
    return sum((points[1:] == points[:-1]).all(1).any() for _, points in document.rings())


def polygon_self_crossing(document: Document) -> int:
    """Count rings whose even-odd filling is over 4 pixels and 2 % off the area by coordinates."""
    found = 0
    for _, points in document.rings():
        if not _crosses_itself(points):
            continue
        enclosed, filled = abs(shoelace(points)), _even_odd_area(points)
        found += abs(filled - enclosed) > max(4, 0.02 * enclosed)
    return found


def _crosses_itself(points: Points) -> bool:
    """Return whether any two edges cross; neighbours, which share a point, never do."""
    starts, ends = points, np.roll(points, -1, axis=0)
    side_of_start = _sides(starts, ends, starts)  # (edges, points)
    side_of_end = _sides(starts, ends, ends)
    cuts = side_of_start * side_of_end < 0  # whether an edge's line cuts another edge
    return bool((cuts & cuts.T).any())


def _sides(starts: Points, ends: Points, points: Points) -> NDArray[np.float64]:
    """Return on which side of each edge each point lies, -1, 0 or 1, (edges, points)."""
    along = (ends - starts)[:, None]
    across = points[None] - starts[:, None]
    return np.sign(along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0])


def _even_odd_area(points: Points, num_lines: int = 2000) -> float:
    """Return the area inside by the even-odd rule, integrated over horizontal lines."""
    low, high = points[:, 1].min(), points[:, 1].max()
    starts, ends = points, np.roll(points, -1, axis=0)
    total = 0.0
    for y in low + (np.arange(num_lines) + 0.5) / num_lines * (high - low):
        cuts = (starts[:, 1] <= y) != (ends[:, 1] <= y)
        share = (y - starts[cuts, 1]) / (ends[cuts, 1] - starts[cuts, 1])
        x = np.sort(starts[cuts, 0] + share * (ends[cuts, 0] - starts[cuts, 0]))
        total += float((x[1::2] - x[::2]).sum())
    return total * float(high - low) / num_lines


def ring_inside(document: Document) -> int:
    """Count rings of which every point lies inside another ring of the same annotation."""
    found = 0
    for one in document.sound:
        if isinstance(one["segmentation"], list) and len(one["segmentation"]) > 1:
            rings = [
                np.reshape(np.array(ring, np.float32), (-1, 2)) for ring in one["segmentation"]
            ]
            found += sum(
                any(
                    other is not ring
                    and all(cv2.pointPolygonTest(other, p.tolist(), False) >= 0 for p in ring)
                    for other in rings
                )
                for ring in rings
            )
    return found


def instance_two_classes(document: Document) -> int:
    """Count instances whose mask has an IoU over 0.9 with an earlier one of another class."""
    of_image: dict[Any, list[Annotation]] = {}
    for one in sorted(document.targets, key=lambda one: one["id"]):
        of_image.setdefault(one["image_id"], []).append(one)
    found = 0
    for together in of_image.values():
        noted: set[int] = set()
        for first, second in combinations(range(len(together)), 2):
            one, other = together[first], together[second]
            if second in noted or one["category_id"] == other["category_id"]:
                continue
            if _box_iou(document.extent(one), document.extent(other)) < 0.7:
                continue
            masks = document.bitmap(one), document.bitmap(other)
            if (masks[0] & masks[1]).sum() > 0.9 * (masks[0] | masks[1]).sum():
                noted.add(second)
        found += len(noted)
    return found


def _box_iou(one: Points, other: Points) -> float:
    shared = (np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0).prod()
    sizes = [(box[2:] - box[:2]).prod() for box in (one, other)]
    return float(shared / (sum(sizes) - shared))


def category_unused(document: Document) -> int:
    used = {one["category_id"] for one in document.targets}
    return sum(category["id"] not in used for category in document.categories)


def images_mostly_empty(document: Document) -> int:
    """Return 1 if more than half of the images are without instances."""
    filled = len({one["image_id"] for one in document.sound})
    return int(len(document.images) - filled > len(document.images) / 2)


def category_name_similar(document: Document) -> int:
    """Count categories whose name equals an earlier one but for case and blanks."""
    names = Counter("".join(one["name"].split()).casefold() for one in document.categories)
    return sum(names.values()) - len(names)


COUNTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        image_missing,
        annotation_id_duplicate,
        segmentation_missing,
        polygon_too_short,
        area_not_positive,
        iscrowd_missing,
        crowd_polygon,
        polygon_beyond_edge,
        box_beyond_edge,
        box_mismatch,
        area_is_box,
        area_mismatch,
        polygon_repeated_point,
        polygon_self_crossing,
        ring_inside,
        instance_two_classes,
        category_unused,
        images_mostly_empty,
        category_name_similar,
    )
}
"""What counts each fault, by the code of its rule."""
