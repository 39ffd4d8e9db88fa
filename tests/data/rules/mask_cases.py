"""Faults of masks, boxes and areas.

A row is the rule, the change that breaks it, and the place that is found.
"""

from __future__ import annotations

from tests.data.rules.document import (
    REMOVE,
    TRIANGLE,
    Document,
    instance,
    polygons,
    rle,
)

BOW_TIE = [1, 1, 9, 9, 9, 1, 1, 9]
TWICE_AROUND = [9, 1, 17, 1, 17, 9, 9, 9, 9, 1, 17, 1, 17, 9, 9, 9]


def square(left: int, top: int, side: int) -> list[int]:
    right, bottom = left + side, top + side
    return [left, top, right, top, right, bottom, left, bottom]


def rectangles(document: Document) -> None:
    """Ten instances, eight of them rectangles."""
    one = document["annotations"][0]
    squares = [
        one | {"id": 10 + x, "segmentation": [square(x, 1, 2)], "bbox": [x, 1, 2, 2], "area": 4}
        for x in range(0, 16, 2)
    ]
    document["annotations"] = [*squares, one, one | {"id": 5}]


def as_corners(document: Document) -> None:
    document["annotations"][0] |= {"segmentation": [[12, 1, 16, 1, 16, 6]], "bbox": [12, 1, 4, 5]}
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        annotation["bbox"] = [x, y, x + width, y + height]


def as_box_areas(document: Document) -> None:
    """An instance of 64 square pixels in a box of 128."""
    document["annotations"][0] |= {
        "segmentation": [[2, 1, 18, 1, 2, 9]],
        "bbox": [2, 1, 16, 8],
        "area": 128,
    }


SEGMENTATIONS = [
    ("segmentation-missing", instance("segmentation", REMOVE), "annotations[0].segmentation"),
    ("segmentation-type", instance("segmentation", "x"), "annotations[0].segmentation"),
    ("segmentation-empty", polygons(), "annotations[0].segmentation"),
    ("polygon-type", polygons(TRIANGLE, 3), "annotations[0].segmentation[1]"),
    ("polygon-type", polygons(["2", *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-type", polygons([True, *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-odd", polygons([*TRIANGLE, 1.0]), "annotations[0].segmentation[0]"),
    ("polygon-too-short", polygons(TRIANGLE, [1, 1, 2, 2]), "annotations[0].segmentation[1]"),
    ("polygon-too-short", polygons([]), "annotations[0].segmentation[0]"),
    (
        "polygon-not-finite",
        polygons([float("inf"), *TRIANGLE[1:]]),
        "annotations[0].segmentation[0]",
    ),
    (
        "polygon-not-finite",
        polygons([float("nan"), *TRIANGLE[1:]]),
        "annotations[0].segmentation[0]",
    ),
    ("polygon-not-finite", polygons([10**400, *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-outside", polygons([21, 3, 25, 3, 25, 8]), "annotations[0].segmentation[0]"),
    ("polygon-outside", polygons([2, -9, 6, -9, 6, 0]), "annotations[0].segmentation[0]"),
    ("polygon-far-beyond", polygons([2, 3, 6, 3, 6, 40]), "annotations[0].segmentation[0]"),
    ("polygon-endless", polygons([0, 0, 20, 10] * 60_000), "annotations[0].segmentation[0]"),
    ("polygon-beyond-edge", polygons([2, 3, 6, 3, 6, 12]), "annotations[0].segmentation[0]"),
    (
        "polygon-beyond-edge",
        polygons(TRIANGLE, [21, 3, 25, 3, 25, 8]),
        "annotations[0].segmentation[1]",
    ),
    ("rle-type", rle("10x20", [200]), "annotations[1].segmentation.size"),
    ("rle-type", rle([10, 20], None), "annotations[1].segmentation.counts"),
    ("rle-type", rle([10, 20], [25, "3", 172]), "annotations[1].segmentation.counts"),
    ("rle-type", rle([10, 20], "a b"), "annotations[1].segmentation.counts"),
    ("rle-size", rle([20, 10], [25, 3, 172]), "annotations[1].segmentation.size"),
    ("rle-length", rle([10, 20], [25, 3, 171]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], [25, -3, 178]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], [10**30]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], ""), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], "ooooo?ooooo?"), "annotations[1].segmentation.counts"),
    ("segmentation-empty", rle([10, 20], [200]), "annotations[1].segmentation"),
    ("polygon-self-crossing", polygons(BOW_TIE), "annotations[0].segmentation[0]"),
    ("polygon-self-crossing", polygons(TRIANGLE, TWICE_AROUND), "annotations[0].segmentation[1]"),
    ("polygon-no-area", polygons(TRIANGLE, [1, 1, 4, 4, 8, 8]), "annotations[0].segmentation[1]"),
    (
        "polygon-repeated-point",
        polygons([2, 3, 6, 3, 6, 3, 6, 8]),
        "annotations[0].segmentation[0]",
    ),
    ("ring-inside", polygons(square(1, 1, 8), square(3, 3, 2)), "annotations[0].segmentation[1]"),
    ("ring-inside", polygons(square(3, 3, 2), square(1, 1, 8)), "annotations[0].segmentation[0]"),
    ("rings-overlap", polygons(square(1, 1, 6), square(4, 1, 6)), "annotations[0].segmentation[1]"),
    ("rings-overlap", polygons(square(1, 1, 6), square(1, 1, 6)), "annotations[0].segmentation[1]"),
    ("rings-apart", polygons(square(1, 1, 3), square(15, 1, 3)), "annotations[0].segmentation[0]"),
    ("mask-rectangular", rectangles, "annotations[0]"),
]
BOXES = [
    ("box-missing", instance("bbox", REMOVE), "annotations[0].bbox"),
    ("box-type", instance("bbox", [2, 3, 4]), "annotations[0].bbox"),
    ("box-type", instance("bbox", [2, 3, 4, "5"]), "annotations[0].bbox"),
    ("box-not-finite", instance("bbox", [2, 3, 4, float("nan")]), "annotations[0].bbox"),
    ("box-not-finite", instance("bbox", [1e308, 3, 1e308, 5]), "annotations[0].bbox"),
    ("box-no-area", instance("bbox", [2, 3, 0, 5]), "annotations[0].bbox"),
    ("box-no-area", instance("bbox", [6, 3, -4, 5]), "annotations[0].bbox"),
    ("box-outside", instance("bbox", [20, 3, 4, 5]), "annotations[0].bbox"),
    ("box-beyond-edge", instance("bbox", [2, 3, 4, 8.5]), "annotations[0].bbox"),
    ("box-mismatch", instance("bbox", [2, 3, 9, 5]), "annotations[0].bbox"),
    ("box-mismatch", instance("bbox", [2, 3, 4, 1], 1), "annotations[1].bbox"),
    ("box-corners", as_corners, "annotations[0]"),
    ("area-is-box", as_box_areas, "annotations[0]"),
    ("area-mismatch", instance("area", 100), "annotations[0].area"),
]
