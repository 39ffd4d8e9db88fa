from __future__ import annotations

import re
from pathlib import Path

import pytest

from segtune.data.rule_reference import END, START, with_rule_table
from segtune.data.rules import GROUPS, RULES

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"


def test_the_page_has_the_rules_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_rule_table(page), "run scripts/write_references.py"
    for code in RULES:
        assert f"| `{code}` |" in page


def test_the_text_around_the_table_stays() -> None:
    page = with_rule_table(f"before\n{START}\na former table\n{END}\nafter\n")

    assert page.startswith(f"before\n{START}\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "a former table" not in page
    assert with_rule_table(page) == page


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- rules"):
        with_rule_table("text")


def test_no_code_is_used_twice() -> None:
    assert sum(map(len, GROUPS.values())) == len(RULES)


def test_every_defect_that_paddlex_lets_pass_has_a_rule_or_a_reason() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", PAGE.read_text(), flags=re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, 34))
    for number, answer in rows:
        codes = re.findall(r"`([a-z-]+)`", answer)
        assert codes or number == "33"
        assert set(codes) <= set(RULES)
