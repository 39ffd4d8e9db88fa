from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from segtune.abilities import ABILITIES, Abilities, Shown
from segtune.model_table import with_model_table
from segtune.zoo import MODELS
from tests.parity import test_mask_rt_detr, test_ppyoloe_seg, test_rcnn
from tests.peers import test_paddlex
from tests.runtime import model_names

README = Path(__file__).parents[1] / "README.md"

PARITY = [*test_mask_rt_detr.NAMES, test_ppyoloe_seg.NAME]
LOSSES = [*PARITY, *test_rcnn.WITH_LOSSES]
DETECTIONS = [*PARITY, *test_rcnn.NAMES]
# The models of the tests behind each column. Those of PaddleX compare a bundle with its network.
TESTED: dict[str, Iterable[Any]] = {
    "train": LOSSES,
    "evaluate": DETECTIONS,
    "export": test_paddlex.NAMES,
    "paddlex": test_paddlex.NAMES,
    "onnx": model_names.NAMES,
}


def shown_by(parameters: Iterable[Any]) -> dict[str, Shown]:
    """Return what tests with these parameters, names of models, show of each."""
    shown = {}
    for parameter in parameters:
        name, marks = parameter, ()
        if not isinstance(parameter, str):
            (name,), marks = parameter.values, parameter.marks
        heavy = any(mark.name == "heavy" for mark in marks)
        shown[name] = Shown.HEAVY if heavy else Shown.CI
    return shown


@pytest.mark.parametrize("ability", Abilities._fields)
def test_what_the_table_says_is_shown_by_a_test(ability: str) -> None:
    shown = shown_by(TESTED[ability])

    for name, abilities in ABILITIES.items():
        claimed = getattr(abilities, ability)
        assert claimed in (Shown.NOT_YET, shown.get(name)), name


def test_the_readme_has_the_zoos_table() -> None:
    page = README.read_text(encoding="utf-8")

    assert page == with_model_table(page), "run scripts/write_references.py"


def test_the_table_names_every_model_once() -> None:
    table = with_model_table("a <!-- models --> old <!-- /models --> b")

    assert list(ABILITIES) == [spec.name for spec in MODELS]
    assert all(table.count(f"| {spec.name} |") == 1 for spec in MODELS)
    assert "old" not in table
