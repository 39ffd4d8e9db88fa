"""The masks: polygons and RLE."""

from segtune.data.rules.rule import error, info, warning

MASKS = (
    error(
        "segmentation-missing",
        "an annotation has no segmentation",
        "add its mask, or remove it: instance segmentation cannot learn from a box",
    ),
    error(
        "segmentation-type",
        "a segmentation is neither a list of polygons nor RLE",
        'write [[x, y, x, y, ...], ...] or {"size": [h, w], "counts": ...}',
    ),
    error("segmentation-empty", "a mask is empty", "add the mask or remove the annotation"),
    error(
        "polygon-type",
        "a polygon is not a list of numbers",
        "write [[x, y, x, y, ...], ...]; numbers without quotes",
    ),
    error(
        "polygon-odd",
        "a polygon has an odd number of coordinates",
        "write pairs x, y; one number is missing or too many",
    ),
    error(
        "polygon-too-short",
        "a polygon has fewer than three points",
        "draw it again or remove it",
    ),
    error("polygon-not-finite", "a polygon has a coordinate that is not finite", "draw it again"),
    error(
        "polygon-outside",
        "a polygon lies outside its image",
        "check whether image and annotation belong together, and the stated size",
    ),
    error(
        "polygon-far-beyond",
        "a polygon leaves its image by more than the image's longer side",
        "check the coordinates: pixels, x before y, of this image",
    ),
    error(
        "polygon-endless",
        "a polygon is over two million pixels long, too long to be the outline of anything",
        "draw it again; perhaps its points are out of order or of several objects",
    ),
    warning(
        "polygon-beyond-edge",
        "a polygon leaves its image by more than a pixel",
        "cut it at the edge of the image",
    ),
    error(
        "rle-type",
        "an RLE is not made of a size and counts",
        'write {"size": [h, w], "counts": [...]} or the compressed text',
    ),
    error("rle-size", "an RLE has another size than its image", "encode it at the image's size"),
    error(
        "rle-length",
        "the counts of an RLE do not add up to its size",
        "encode it again, column by column",
    ),
    warning(
        "polygon-self-crossing",
        "a polygon crosses itself, so that tools fill it differently",
        "draw it again, once around the object",
    ),
    warning("polygon-no-area", "a polygon encloses nothing", "draw it again or remove it"),
    info(
        "polygon-repeated-point",
        "a polygon has the same point twice in a row; it does no harm",
        "nothing",
    ),
    warning(
        "ring-inside",
        "a polygon of an instance lies inside another; it is filled, not a hole",
        "write the mask as RLE if it is a hole; else remove it",
    ),
    warning(
        "rings-overlap",
        "two polygons of one instance overlap",
        "make them two instances if they are two objects; else join them into one polygon",
    ),
    warning(
        "rings-apart",
        "polygons of one instance lie far apart",
        "make them two instances if they are two objects; remove a stray one",
    ),
    warning(
        "mask-rectangular",
        "nearly all masks are their boxes: boxes were written as polygons",
        "label outlines; a model learns no better masks than these",
    ),
)
