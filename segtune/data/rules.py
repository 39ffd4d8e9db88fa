"""Every rule that a dataset is held to: its stable code, severity, message and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a dataset.

    An error keeps segtune from training on it; a warning is likely a mistake; an info is
    something that segtune did for the user.
    """

    code: str
    severity: Severity
    message: str
    remedy: str


def _error(code: str, message: str, remedy: str) -> Rule:
    return Rule(code, "error", message, remedy)


def _warning(code: str, message: str, remedy: str) -> Rule:
    return Rule(code, "warning", message, remedy)


def _info(code: str, message: str, remedy: str) -> Rule:
    return Rule(code, "info", message, remedy)


_NOT_SAVED_WHOLE = "export or download the file again"
_WHOLE_NUMBER = "write a whole number, without quotes or decimal point"

_FILE = (
    _error("file-missing", "there is no such annotation file", "check the path"),
    _error("file-unreadable", "the file cannot be read", "check path and permissions"),
    _error("file-encoding", "the file is not UTF-8 text", "save it as UTF-8"),
    _error("json-broken", "the file is not valid JSON", _NOT_SAVED_WHOLE),
    _error("json-truncated", "the JSON ends in the middle", _NOT_SAVED_WHOLE),
    _error("json-nesting", "the JSON is nested too deeply to be COCO", _NOT_SAVED_WHOLE),
    _error(
        "json-top-level",
        "the file does not hold one JSON object",
        'COCO is an object with "images", "annotations" and "categories"',
    ),
)

_LISTS = (
    _error("images-missing-key", 'the file has no "images"', 'add a list "images"'),
    _error("annotations-missing-key", 'the file has no "annotations"', 'add a list "annotations"'),
    _error("categories-missing-key", 'the file has no "categories"', 'add a list "categories"'),
    _error("images-not-list", '"images" is not a list', "make it a list of objects"),
    _error("annotations-not-list", '"annotations" is not a list', "make it a list of objects"),
    _error("categories-not-list", '"categories" is not a list', "make it a list of objects"),
    _error("images-none", "no image is listed", "list the images of this split"),
    _error("annotations-none", "no instance is annotated", "annotate at least one instance"),
    _error("categories-none", "no category is declared", "declare every class of objects"),
)

_CATEGORIES = (
    _error("category-not-object", "a category is not an object", 'write {"id": 1, "name": "..."}'),
    _error("category-id-missing", "a category has no id", "give every category an id of its own"),
    _error("category-id-type", "a category id is not a whole number", _WHOLE_NUMBER),
    _error(
        "category-id-duplicate",
        "a category id is declared twice",
        "give every category an id of its own",
    ),
    _error("category-name-missing", "a category has no name", "name it"),
    _error("category-name-type", "a category name is not text, or empty", "write it as text"),
    _error(
        "category-name-duplicate",
        "two categories have the same name",
        "join them under one id, or rename one",
    ),
    _error(
        "category-split-missing",
        "a category is declared in one split only",
        'put the same "categories" into both files',
    ),
    _error(
        "category-split-name",
        "a category id means different classes in the two splits",
        "map both files to the same ids and names",
    ),
)

_IMAGES = (
    _error("image-not-object", "an image entry is not an object", 'write {"id": 1, ...}'),
    _error("image-id-missing", "an image has no id", "give every image an id of its own"),
    _error("image-id-type", "an image id is not a whole number", _WHOLE_NUMBER),
    _error("image-id-duplicate", "an image id is used twice", "give every image an id of its own"),
    _error(
        "image-name-missing", "an image has no file_name", "add it, relative to the image folder"
    ),
    _error(
        "image-name-type",
        "a file_name is not text that names a file",
        "write the path relative to the image folder",
    ),
    _error(
        "image-path-absolute",
        "a file_name is an absolute path",
        "write it relative to the image folder, so that the dataset can move",
    ),
    _error(
        "image-path-outside",
        "a file_name leaves the image folder",
        "move the image into the folder and drop the '..'",
    ),
    _error(
        "image-size-missing",
        "an image has no width or height",
        "add both, as the upright picture has them",
    ),
    _error(
        "image-size-type",
        "a width or height is not a whole number from 1 to 65535",
        "write the size of the upright picture in pixels",
    ),
    _error("image-missing", "an image file is missing", "add the file or remove its entry"),
    _error("image-empty", "an image file has zero bytes", "copy or download it again"),
    _error("image-unreadable", "an image cannot be decoded", "copy, download or convert it again"),
    _error(
        "image-size",
        "an image has another size than stated",
        "correct width and height if the masks fit the picture; else restore the annotated file",
    ),
    _error(
        "image-size-exif",
        "the stated size is that of the picture before its EXIF rotation",
        "turn the pixels and drop the EXIF tag, or annotate the upright picture; check the masks",
    ),
    _warning(
        "image-overfull",
        "an image has more instances than a model can return",
        "cut the image and its annotations into tiles, and predict on tiles as well",
    ),
)

_ANNOTATIONS = (
    _error("annotation-not-object", "an annotation is not an object", 'write {"id": 1, ...}'),
    _error("annotation-id-missing", "an annotation has no id", "give every one an id of its own"),
    _error("annotation-id-type", "an annotation id is not a whole number", _WHOLE_NUMBER),
    _error(
        "annotation-id-duplicate",
        "an annotation id is used twice",
        "give every annotation an id of its own",
    ),
    _error("annotation-image-missing", "an annotation has no image_id", "name its image"),
    _error("annotation-image-type", "an image_id is not a whole number", _WHOLE_NUMBER),
    _error(
        "image-unknown",
        "an annotation is on an image that is not listed",
        "list the image or remove the annotation",
    ),
    _error("annotation-category-missing", "an annotation has no category_id", "name its category"),
    _error("annotation-category-type", "a category_id is not a whole number", _WHOLE_NUMBER),
    _error(
        "category-unknown",
        "an annotation is of a category that is not declared",
        'declare it under "categories" or correct the annotation',
    ),
    _error("iscrowd-type", "iscrowd is neither 0 nor 1", "write 0 or 1, or leave it out"),
    _error("area-type", "area is not a finite number", "correct it or leave it out"),
    _warning(
        "area-not-positive",
        "area is not above zero; that of the mask is used",
        "correct it or leave it out",
    ),
)

_SEGMENTATIONS = (
    _error(
        "segmentation-missing",
        "an annotation has no segmentation",
        "add its mask, or remove it: instance segmentation cannot learn from a box",
    ),
    _error(
        "segmentation-type",
        "a segmentation is neither a list of polygons nor RLE",
        'write [[x, y, x, y, ...], ...] or {"size": [h, w], "counts": ...}',
    ),
    _error("segmentation-empty", "a mask is empty", "add the mask or remove the annotation"),
    _error(
        "polygon-type",
        "a polygon is not a list of numbers",
        "write [[x, y, x, y, ...], ...]; numbers without quotes",
    ),
    _error(
        "polygon-odd",
        "a polygon has an odd number of coordinates",
        "write pairs x, y; one number is missing or too many",
    ),
    _error(
        "polygon-too-short",
        "a polygon has fewer than three points",
        "draw it again or remove it",
    ),
    _error("polygon-not-finite", "a polygon has a coordinate that is not finite", "draw it again"),
    _error(
        "polygon-outside",
        "a polygon lies outside its image",
        "check whether image and annotation belong together, and the stated size",
    ),
    _error(
        "polygon-far-beyond",
        "a polygon leaves its image by more than the image's longer side",
        "check the coordinates: pixels, x before y, of this image",
    ),
    _warning(
        "polygon-beyond-edge",
        "a polygon leaves its image by more than a pixel",
        "cut it at the edge of the image",
    ),
    _error(
        "rle-type",
        "an RLE is not made of a size and counts",
        'write {"size": [h, w], "counts": [...]} or the compressed text',
    ),
    _error("rle-size", "an RLE has another size than its image", "encode it at the image's size"),
    _error(
        "rle-length",
        "the counts of an RLE do not add up to its size",
        "encode it again, column by column",
    ),
)

_BOXES = (
    _error("box-type", "a bbox is not four numbers", "write [x, y, width, height]"),
    _error("box-not-finite", "a bbox is not finite", "correct it or leave it out"),
    _error(
        "box-no-area",
        "a box has no area",
        "write [x, y, width, height] with both sides above zero, or remove the annotation",
    ),
    _error(
        "box-outside",
        "a box lies outside its image",
        "check whether image and annotation belong together, and the stated size",
    ),
    _warning(
        "box-beyond-edge",
        "a box leaves its image by more than a pixel; it is cut there",
        "write [x, y, width, height], not two corners; cut it at the edge",
    ),
    _info("box-missing", "an annotation has no bbox; it is computed from the mask", "nothing"),
)

_CHECK = (
    _info(
        "images-skipped",
        "the image files were not looked at",
        "check again without --skip-images before training",
    ),
)

RULES: dict[str, Rule] = {
    rule.code: rule
    for group in (
        _FILE,
        _LISTS,
        _CATEGORIES,
        _IMAGES,
        _ANNOTATIONS,
        _SEGMENTATIONS,
        _BOXES,
        _CHECK,
    )
    for rule in group
}
"""All rules by code, in the order in which findings are shown."""
