"""The classes of objects."""

from segtune.data.rules.rule import error, warning

_WHOLE_NUMBER = "write a whole number, without quotes or decimal point"

CATEGORIES = (
    error("category-not-object", "a category is not an object", 'write {"id": 1, "name": "..."}'),
    error("category-id-missing", "a category has no id", "give every category an id of its own"),
    error("category-id-type", "a category id is not a whole number", _WHOLE_NUMBER),
    error(
        "category-id-duplicate",
        "a category id is declared twice",
        "give every category an id of its own",
    ),
    error("category-name-missing", "a category has no name", "name it"),
    error("category-name-type", "a category name is not text, or empty", "write it as text"),
    error(
        "category-name-duplicate",
        "two categories have the same name",
        "join them under one id, or rename one",
    ),
    error(
        "category-split-missing",
        "a category is declared in one split only",
        'put the same "categories" into both files',
    ),
    error(
        "category-split-name",
        "a category id means different classes in the two splits",
        "map both files to the same ids and names",
    ),
    warning(
        "category-name-similar",
        "categories have names that differ only in case or blanks",
        "join them under one id, or give them names that can be told apart",
    ),
    warning(
        "category-unused",
        "a category has no instance in this split",
        "label some; what is missing in train cannot be learnt, in val not be measured",
    ),
    warning(
        "category-few-instances",
        "a category has fewer than ten instances to learn from",
        "label more of it, or join it with a class that looks alike",
    ),
    warning(
        "category-imbalance",
        "a category has over twenty times as many instances as another",
        "label more of the rare one; overall AP counts every class alike",
    ),
)
