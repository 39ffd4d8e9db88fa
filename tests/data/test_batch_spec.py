from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from segtune.data.batch_spec import draw_batch_spec
from segtune.preprocess import INTERPOLATION_CODES, PreprocessSpec
from segtune.recipe import AugmentRecipe

SPEC = PreprocessSpec(size_hw=(96, 160), mean=(0.1, 0.2, 0.3), pad_stride=32)
SIZES = (480, 640, 640, 640, 800)


def _drawn(recipe: AugmentRecipe, *, seed: int = 0, epoch: int = 0) -> list[PreprocessSpec]:
    return [
        draw_batch_spec(SPEC, recipe, seed=seed, epoch=epoch, step=step) for step in range(1000)
    ]


def test_without_sizes_and_random_interpolation_nothing_changes() -> None:
    assert set(_drawn(AugmentRecipe())) == {SPEC}


def test_a_side_that_is_repeated_comes_as_often_as_it_is_repeated() -> None:
    drawn = _drawn(AugmentRecipe(sizes=SIZES))

    counts = Counter(spec.size_hw for spec in drawn)
    assert counts.keys() == {(480, 480), (640, 640), (800, 800)}
    # Four standard deviations of 1000 draws, of which a fifth is expected, are 51.
    assert counts[480, 480] == pytest.approx(200, abs=51)
    assert counts[800, 800] == pytest.approx(200, abs=51)
    assert {replace(spec, size_hw=SPEC.size_hw) for spec in drawn} == {SPEC}


def test_where_the_ratio_is_kept_a_side_is_the_short_one_and_the_long_limit_stays() -> None:
    spec = replace(SPEC, size_hw=(800, 1333), keep_ratio=True)
    recipe = AugmentRecipe(sizes=(640, 800))

    drawn = {draw_batch_spec(spec, recipe, seed=0, epoch=0, step=step) for step in range(20)}

    assert drawn == {replace(spec, size_hw=(640, 1333)), spec}
    sizes_hw = {each.target_hw((480, 640)) for each in drawn}
    assert sizes_hw == {(640, 853), (800, 1067)}
    assert {each.target_hw((300, 900)) for each in drawn} == {(444, 1333)}


def test_every_interpolation_comes_as_often_as_any_other() -> None:
    drawn = _drawn(AugmentRecipe(random_interpolation=True))

    counts = Counter(spec.interpolation for spec in drawn)
    assert counts.keys() == INTERPOLATION_CODES.keys()
    assert all(count == pytest.approx(200, abs=51) for count in counts.values())
    assert {replace(spec, interpolation=SPEC.interpolation) for spec in drawn} == {SPEC}


def test_a_side_says_nothing_of_the_interpolation() -> None:
    drawn = _drawn(AugmentRecipe(sizes=SIZES, random_interpolation=True))

    assert len({(spec.size_hw, spec.interpolation) for spec in drawn}) == 3 * 5
    sides_alone = _drawn(AugmentRecipe(sizes=SIZES))
    assert [spec.size_hw for spec in drawn] == [spec.size_hw for spec in sides_alone]


def test_seeds_and_epochs_draw_differently_and_the_same_again() -> None:
    recipe = AugmentRecipe(sizes=SIZES)
    streams = {
        (seed, epoch): tuple(_drawn(recipe, seed=seed, epoch=epoch))
        for seed in range(2)
        for epoch in range(2)
    }

    assert len(set(streams.values())) == 4
    assert tuple(_drawn(recipe, seed=1, epoch=0)) == streams[1, 0]
