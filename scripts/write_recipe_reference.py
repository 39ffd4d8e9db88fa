"""Write docs/recipes.md and recipes/schema.json anew from segtune/recipe.py."""

from __future__ import annotations

import json
from pathlib import Path

from segtune.files import write_text
from segtune.recipe_files import recipe_schema
from segtune.recipe_reference import reference

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    write_text(ROOT / "docs" / "recipes.md", reference())
    write_text(ROOT / "recipes" / "schema.json", json.dumps(recipe_schema(), indent=2) + "\n")
