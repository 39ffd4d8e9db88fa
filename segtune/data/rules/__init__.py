"""Every rule that a dataset is held to: its stable code, severity, message and remedy."""

from segtune.data.rules.annotations import ANNOTATIONS, BOXES
from segtune.data.rules.categories import CATEGORIES
from segtune.data.rules.files import FILES, LISTS
from segtune.data.rules.images import IMAGES
from segtune.data.rules.masks import MASKS
from segtune.data.rules.recipe import RECIPE
from segtune.data.rules.rule import Rule, Severity
from segtune.data.rules.splits import SPLITS

__all__ = ["GROUPS", "RULES", "Rule", "Severity"]

GROUPS: dict[str, tuple[Rule, ...]] = {
    "File": FILES,
    "Lists": LISTS,
    "Categories": CATEGORIES,
    "Images": IMAGES,
    "Annotations": ANNOTATIONS,
    "Masks": MASKS,
    "Boxes": BOXES,
    "Splits": SPLITS,
    "With a recipe": RECIPE,
}
"""The rules by what they are about, in the order in which findings are shown."""

RULES: dict[str, Rule] = {rule.code: rule for group in GROUPS.values() for rule in group}
"""All rules by code, in the same order."""
