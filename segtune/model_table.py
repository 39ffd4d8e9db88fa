"""The README's table of models, made from the zoo and from what tests show."""

from __future__ import annotations

from segtune.abilities import ABILITIES, Abilities
from segtune.zoo import MODELS, ModelSpec

BEGIN, END = "<!-- models -->", "<!-- /models -->"
COLUMNS = (
    "Model",
    "Mask AP",
    "Box AP",
    "Weights, MB",
    "Recipe",
    "Train",
    "Evaluate",
    "Export",
    "PaddleX",
    "ONNX",
)


def with_model_table(page: str) -> str:
    """Return a Markdown page with the table between its two marks made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{_table()}{END}{after}"


def _table() -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(_row(spec, ABILITIES[spec.name]))} |" for spec in MODELS]
    return "\n".join(lines) + "\n"


def _row(spec: ModelSpec, abilities: Abilities) -> tuple[str, ...]:
    return (
        spec.name,
        f"{spec.mask_ap:.1f}",
        f"{spec.box_ap:.1f}",
        f"{spec.size_mb:.1f}",
        f"[{spec.recipe.removesuffix('.yaml')}](recipes/{spec.recipe})",
        *(shown.value for shown in abilities),
    )
