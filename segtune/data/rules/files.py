"""The annotation file as a whole, and its three lists."""

from segtune.data.rules.rule import error

_NOT_SAVED_WHOLE = "export or download the file again"

FILES = (
    error("file-missing", "there is no such annotation file", "check the path"),
    error("file-unreadable", "the file cannot be read", "check path and permissions"),
    error("file-encoding", "the file is not UTF-8 text", "save it as UTF-8"),
    error("json-broken", "the file is not valid JSON", _NOT_SAVED_WHOLE),
    error("json-truncated", "the JSON ends in the middle", _NOT_SAVED_WHOLE),
    error("json-nesting", "the JSON is nested too deeply to be COCO", _NOT_SAVED_WHOLE),
    error(
        "json-top-level",
        "the file does not hold one JSON object",
        'COCO is an object with "images", "annotations" and "categories"',
    ),
)

LISTS = (
    error("images-missing-key", 'the file has no "images"', 'add a list "images"'),
    error("annotations-missing-key", 'the file has no "annotations"', 'add a list "annotations"'),
    error("categories-missing-key", 'the file has no "categories"', 'add a list "categories"'),
    error("images-not-list", '"images" is not a list', "make it a list of objects"),
    error("annotations-not-list", '"annotations" is not a list', "make it a list of objects"),
    error("categories-not-list", '"categories" is not a list', "make it a list of objects"),
    error("images-none", "no image is listed", "list the images of this split"),
    error("annotations-none", "no instance is annotated", "annotate at least one instance"),
    error("categories-none", "no category is declared", "declare every class of objects"),
)
