"""The table of all rules in docs/datasets.md."""

from __future__ import annotations

from segtune.data.rules import GROUPS, Rule

START = "<!-- rules: made by scripts/write_references.py -->"
END = "<!-- end of rules -->"


def with_rule_table(page: str) -> str:
    """Return the page with the table of rules written anew between its two marks.

    Raises:
        ValueError: A mark is missing.
    """
    before, _, rest = page.partition(START)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no {START} ... {END}")
    return f"{before}{START}\n{rule_table()}{END}{after}"


def rule_table() -> str:
    """Return every rule, group by group, as Markdown."""
    return "".join(_section(title, rules) for title, rules in GROUPS.items())


def _section(title: str, rules: tuple[Rule, ...]) -> str:
    rows = [
        f"| `{rule.code}` | {rule.severity} | {_cell(rule.message)} | {_cell(rule.remedy)} |"
        for rule in rules
    ]
    head = ["", f"### {title}", "", "| Code | Severity | What is wrong | What to do |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
