import math

import pytest

from segtune.recipe import ScheduleRecipe
from segtune.training.schedule import learning_rate

COSINE = ScheduleRecipe(warmup_steps=50, horizon=1.2)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(0, 0.0, id="first step of a warm-up from zero"),
        pytest.param(1, 2e-5, id="second step"),
        pytest.param(50, 1e-3, id="peak"),
        pytest.param(51, 9.99997e-4, id="first step after the peak"),
        pytest.param(100, 9.92569e-4, id="fifty steps later"),
    ],
)
def test_cosine_with_warmup_gives_the_reference_values(step: int, expected: float) -> None:
    # 80 epochs of 10 steps with the cosine's end at epoch 96, spec/training.md 6.
    assert learning_rate(step, 800, 1e-3, COSINE) == pytest.approx(expected, rel=1e-5)


def test_a_warmup_longer_than_the_run_is_cut_to_a_quarter() -> None:
    recipe = ScheduleRecipe(warmup_steps=1000, decay="constant")

    rates = [learning_rate(step, 40, 1.0, recipe) for step in range(12)]

    assert rates == [step / 10 for step in range(10)] + [1.0, 1.0]


def test_steps_fall_at_their_milestones_and_never_rise_again() -> None:
    recipe = ScheduleRecipe(warmup_steps=0, decay="step", milestones=(0.5, 0.75), gamma=0.1)

    rates = [learning_rate(step, 8, 1.0, recipe) for step in range(8)]

    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_warmup_ends_before_the_first_milestone() -> None:
    recipe = ScheduleRecipe(warmup_steps=100, decay="step", milestones=(0.1,), gamma=0.5)

    rates = [learning_rate(step, 100, 1.0, recipe) for step in range(100)]

    assert max(rates[:10]) == 0.9
    assert set(rates[10:]) == {0.5}


def test_cosine_ends_at_its_last_fraction() -> None:
    recipe = ScheduleRecipe(warmup_steps=0, horizon=1.0, end_scale=0.05)

    assert learning_rate(99, 100, 2.0, recipe) == pytest.approx(
        0.1 + 1.9 * 0.5 * (math.cos(math.pi * 0.99) + 1)
    )
    assert learning_rate(100, 100, 2.0, recipe) == pytest.approx(0.1)
