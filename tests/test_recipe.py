from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from segtune.recipe import DataRecipe, OptimizerRecipe, Recipe, ScheduleRecipe


def test_a_model_is_all_that_a_recipe_needs() -> None:
    recipe = Recipe(model="PP-YOLOE_seg-S")

    assert recipe.optimizer.lr == 1e-3
    assert recipe.data == DataRecipe()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"root": "a", "train": "b"}, "`root` as well as `train`", id="root and file"),
        pytest.param({"root": "a", "images": "b"}, "`root` as well as `images`", id="two folders"),
        pytest.param({"train": "b"}, "without `val` and `images`", id="train alone"),
        pytest.param({"train": "b", "val": "c"}, "without `images`", id="no images"),
        pytest.param({"val": "b", "images": "c"}, "without `train`", id="nothing to train on"),
    ],
)
def test_a_dataset_is_named_once_and_whole(given: dict[str, Path], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DataRecipe(**given)


def test_milestones_ascend_within_the_run() -> None:
    assert ScheduleRecipe(milestones=()).milestones == ()
    for milestones in [(0.5, 0.5), (0.9, 0.5), (0.5, 1.0), (0.0,)]:
        with pytest.raises(ValidationError, match="milestones"):
            ScheduleRecipe(milestones=milestones)


@pytest.mark.parametrize("lr", [0.0, -1e-3, float("inf"), float("nan")])
def test_a_learning_rate_is_positive_and_finite(lr: float) -> None:
    with pytest.raises(ValidationError):
        OptimizerRecipe(lr=lr)


def test_every_key_says_what_it_means() -> None:
    for group in (
        Recipe,
        *(type(value) for _, value in Recipe(model="m") if hasattr(value, "model_fields_set")),
    ):
        assert group.__doc__
        for name, info in group.model_fields.items():
            assert info.description, name
