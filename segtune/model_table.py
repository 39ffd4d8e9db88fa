"""The README's table of models, made from the zoo."""

from __future__ import annotations

from segtune.zoo import MODELS

BEGIN, END = "<!-- models -->", "<!-- /models -->"


def with_model_table(page: str) -> str:
    """Return a Markdown page with the table between its two marks made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{_table()}{END}{after}"


def _table() -> str:
    rows = [
        "| Model | Mask AP | Box AP | Weights, MB | Today |",
        "|---|---|---|---|---|",
    ]
    for spec in MODELS:
        today = "not yet" if spec.builder is None else "train, eval, export, predict"
        rows.append(
            f"| {spec.name} | {spec.mask_ap:.1f} | {spec.box_ap:.1f} "
            f"| {spec.size_mb:.1f} | {today} |"
        )
    return "\n".join(rows) + "\n"
