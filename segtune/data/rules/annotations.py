"""Annotations apart from their masks."""

from segtune.data.rules.rule import error, info, warning

_WHOLE_NUMBER = "write a whole number, without quotes or decimal point"

ANNOTATIONS = (
    error("annotation-not-object", "an annotation is not an object", 'write {"id": 1, ...}'),
    error("annotation-id-missing", "an annotation has no id", "give every one an id of its own"),
    error("annotation-id-type", "an annotation id is not a whole number", _WHOLE_NUMBER),
    error(
        "annotation-id-duplicate",
        "an annotation id is used twice",
        "give every annotation an id of its own",
    ),
    error("annotation-image-missing", "an annotation has no image_id", "name its image"),
    error("annotation-image-type", "an image_id is not a whole number", _WHOLE_NUMBER),
    error(
        "image-unknown",
        "an annotation is on an image that is not listed",
        "list the image or remove the annotation",
    ),
    error("annotation-category-missing", "an annotation has no category_id", "name its category"),
    error("annotation-category-type", "a category_id is not a whole number", _WHOLE_NUMBER),
    error(
        "category-unknown",
        "an annotation is of a category that is not declared",
        'declare it under "categories" or correct the annotation',
    ),
    error("iscrowd-type", "iscrowd is neither 0 nor 1", "write 0 or 1, or leave it out"),
    error("area-type", "area is not a finite number", "correct it or leave it out"),
    warning(
        "area-not-positive",
        "area is not above zero; that of the mask is used",
        "correct it or leave it out",
    ),
    info("area-missing", "an annotation has no area; that of the mask is used", "nothing"),
    warning(
        "area-is-box",
        "most areas are width times height of the box",
        "write the area of the mask, or leave it out; AP of small and large objects goes by it",
    ),
    warning(
        "area-mismatch",
        "an area is not that of the mask",
        "write the area of the mask, or leave it out; AP of small and large objects goes by it",
    ),
    info("iscrowd-missing", "an annotation has no iscrowd; it is taken for 0", "nothing"),
    info(
        "crowd-polygon",
        "a crowd has polygons; COCO writes crowds as RLE",
        "check that it is a crowd: what is marked as one is not learnt from",
    ),
    error(
        "instances-all-crowd",
        "there is nothing but crowd regions, so nothing to learn or to find",
        "set iscrowd to 0 where one object is annotated",
    ),
    warning(
        "instance-duplicate",
        "an instance is annotated twice, mask and class",
        "remove one of the two",
    ),
    warning(
        "instance-similar",
        "two instances of a class have nearly the same mask",
        "remove one of the two; objects behind each other differ more",
    ),
    warning(
        "instance-two-classes",
        "two instances of different classes have nearly the same mask",
        "keep the right class; a model learns to predict both, and gets half of it wrong",
    ),
)


BOXES = (
    error("box-type", "a bbox is not four numbers", "write [x, y, width, height]"),
    error("box-not-finite", "a bbox is not finite", "correct it or leave it out"),
    error(
        "box-no-area",
        "a box has no area",
        "write [x, y, width, height] with both sides above zero, or remove the annotation",
    ),
    error(
        "box-outside",
        "a box lies outside its image",
        "check whether image and annotation belong together, and the stated size",
    ),
    warning(
        "box-beyond-edge",
        "a box leaves its image by more than a pixel; it is cut there",
        "write [x, y, width, height], not two corners; cut it at the edge",
    ),
    info("box-missing", "an annotation has no bbox; it is computed from the mask", "nothing"),
    error(
        "box-corners",
        "boxes are two corners x1, y1, x2, y2 where x, y, width, height belong",
        "subtract x1 from x2, y1 from y2; or leave bbox out, and it is computed from the mask",
    ),
    warning(
        "box-mismatch",
        "a box is not the one around its mask",
        "leave bbox out, and it is computed from the mask; if the box is right, mend the mask",
    ),
)
