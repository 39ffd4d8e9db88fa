"""Faults of a document's structure, and of its annotations apart from masks and boxes.

A row is the rule, the change that breaks it, and the place that is found.
"""

from __future__ import annotations

from tests.data.rules.document import (
    REMOVE,
    TRIANGLE,
    Change,
    Document,
    add_images,
    category,
    copies,
    image,
    instance,
)


def overlay(category_id: int, shift_px: float) -> Change:
    """Annotate the first instance once more, a little further right."""

    def apply(document: Document) -> None:
        x1, y1, x2, y2, x3, y3 = TRIANGLE
        ring = [x1 + shift_px, y1, x2 + shift_px, y2, x3 + shift_px, y3]
        box = [x1 + shift_px, *document["annotations"][0]["bbox"][1:]]
        changed = {"id": 9, "category_id": category_id, "segmentation": [ring], "bbox": box}
        document["annotations"].append(document["annotations"][0] | changed)

    return apply


def all_crowd(document: Document) -> None:
    for annotation in document["annotations"]:
        annotation["iscrowd"] = 1


TOP_LEVEL = [
    ("images-missing-key", lambda d: d.pop("images"), ""),
    ("annotations-missing-key", lambda d: d.pop("annotations"), ""),
    ("categories-missing-key", lambda d: d.pop("categories"), ""),
    ("images-not-list", lambda d: d.update(images={}), "images"),
    ("annotations-not-list", lambda d: d.update(annotations="none"), "annotations"),
    ("categories-not-list", lambda d: d.update(categories=None), "categories"),
    ("images-none", lambda d: d["images"].clear(), "images"),
    ("annotations-none", lambda d: d["annotations"].clear(), "annotations"),
    ("categories-none", lambda d: d["categories"].clear(), "categories"),
]
CATEGORIES = [
    ("category-not-object", lambda d: d["categories"].append("fig"), "categories[2]"),
    ("category-id-missing", category("id", REMOVE), "categories[0].id"),
    ("category-id-type", category("id", "1"), "categories[0].id"),
    ("category-id-duplicate", category("id", 1, 1), "categories[1].id"),
    ("category-name-missing", category("name", REMOVE), "categories[0].name"),
    ("category-name-type", category("name", 4), "categories[0].name"),
    ("category-name-type", category("name", "  "), "categories[0].name"),
    ("category-name-type", category("name", "\ud800"), "categories[0].name"),
    ("category-name-similar", category("name", "Da te", 1), "categories"),
    ("category-unused", lambda d: d["categories"].append({"id": 3, "name": "nut"}), "categories"),
    ("category-unused", instance("iscrowd", 1, 1), "categories"),
    ("category-name-duplicate", category("name", "date", 1), "categories[1].name"),
]
IMAGES = [
    ("image-not-object", lambda d: d["images"].append(None), "images[2]"),
    ("image-id-missing", image("id", REMOVE), "images[0].id"),
    ("image-id-type", image("id", 1.0), "images[0].id"),
    ("image-id-type", image("id", True), "images[0].id"),
    ("image-id-type", image("id", 10**30), "images[0].id"),
    ("image-id-duplicate", image("id", 1, 1), "images[1].id"),
    ("image-name-missing", image("file_name", REMOVE), "images[0].file_name"),
    ("image-name-type", image("file_name", 12), "images[0].file_name"),
    ("image-name-type", image("file_name", "a\0.png"), "images[0].file_name"),
    ("image-path-absolute", image("file_name", "/data/a.png"), "images[0].file_name"),
    ("image-path-absolute", image("file_name", "C:\\data\\a.png"), "images[0].file_name"),
    ("image-path-outside", image("file_name", "../a.png"), "images[0].file_name"),
    ("image-path-outside", image("file_name", "sub/../../a.png"), "images[0].file_name"),
    ("image-size-missing", image("width", REMOVE), "images[0].width"),
    ("image-size-type", image("width", "20"), "images[0].width"),
    ("image-size-type", image("height", 0), "images[0].height"),
    ("image-size-type", image("height", 70_000), "images[0].height"),
    ("image-missing", image("file_name", "c.png"), "images[0].file_name"),
    ("image-unreadable", image("file_name", "n" * 300), "images[0].file_name"),
    ("image-size", image("width", 21), "images[0]"),
    ("image-overfull", copies(300), "images[0]"),
    ("image-uncounted", copies(100), "images[0]"),
    ("image-name-duplicate", image("file_name", "a.png", 1), "images[1].file_name"),
    ("image-name-duplicate", image("file_name", "./a.png", 1), "images[1].file_name"),
    ("images-mostly-empty", add_images(3), "images"),
]
ANNOTATIONS = [
    ("crowd-polygon", instance("iscrowd", 1), "annotations[0]"),
    ("instances-all-crowd", all_crowd, "annotations"),
    ("instance-duplicate", copies(1), "annotations[2]"),
    ("instance-similar", overlay(1, 0.01), "annotations[2]"),
    ("instance-two-classes", overlay(2, 0.01), "annotations[2]"),
    ("instance-two-classes", overlay(2, 0.0), "annotations[2]"),
    ("annotation-not-object", lambda d: d["annotations"].append([]), "annotations[2]"),
    ("annotation-id-missing", instance("id", REMOVE), "annotations[0].id"),
    ("annotation-id-type", instance("id", "1"), "annotations[0].id"),
    ("annotation-id-duplicate", instance("id", 1, 1), "annotations[1].id"),
    ("annotation-image-missing", instance("image_id", REMOVE), "annotations[0].image_id"),
    ("annotation-image-type", instance("image_id", "1"), "annotations[0].image_id"),
    ("image-unknown", instance("image_id", 3), "annotations[0].image_id"),
    ("annotation-category-missing", instance("category_id", None), "annotations[0].category_id"),
    ("annotation-category-type", instance("category_id", 1.5), "annotations[0].category_id"),
    ("category-unknown", instance("category_id", 12, 1), "annotations[1].category_id"),
    ("iscrowd-type", instance("iscrowd", True), "annotations[0].iscrowd"),
    ("iscrowd-type", instance("iscrowd", 2), "annotations[0].iscrowd"),
    ("area-type", instance("area", "10"), "annotations[0].area"),
    ("area-type", instance("area", float("nan")), "annotations[0].area"),
    ("area-type", instance("area", 10**400), "annotations[0].area"),
    ("iscrowd-missing", instance("iscrowd", REMOVE), "annotations[0].iscrowd"),
    ("iscrowd-missing", instance("iscrowd", None), "annotations[0].iscrowd"),
    ("area-missing", instance("area", REMOVE), "annotations[0].area"),
    ("area-not-positive", instance("area", 0), "annotations[0].area"),
]
