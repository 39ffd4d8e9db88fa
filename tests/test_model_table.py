from pathlib import Path

from segtune.model_table import with_model_table
from segtune.zoo import MODELS

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_has_the_zoos_table() -> None:
    page = README.read_text(encoding="utf-8")

    assert page == with_model_table(page)


def test_the_table_names_every_model_once() -> None:
    table = with_model_table("a <!-- models --> old <!-- /models --> b")

    assert all(table.count(f"| {spec.name} |") == 1 for spec in MODELS)
    assert "old" not in table
