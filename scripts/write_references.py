"""Write docs/recipes.md, recipes/schema.json and the tables of models and rules anew."""

from __future__ import annotations

import json
from pathlib import Path

from segtune.data.rule_reference import with_rule_table
from segtune.files import write_text
from segtune.model_table import with_model_table
from segtune.recipe_files import recipe_schema
from segtune.recipe_reference import reference

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    write_text(ROOT / "docs" / "recipes.md", reference())
    write_text(ROOT / "recipes" / "schema.json", json.dumps(recipe_schema(), indent=2) + "\n")
    readme = ROOT / "README.md"
    write_text(readme, with_model_table(readme.read_text(encoding="utf-8")))
    datasets = ROOT / "docs" / "datasets.md"
    write_text(datasets, with_rule_table(datasets.read_text(encoding="utf-8")))
