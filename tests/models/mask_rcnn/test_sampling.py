from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import pytest

from segtune.models.mask_rcnn.sampling import Sampled, sample


def draw(
    kinds: Sequence[str], *, most: int, foreground_share: float = 0.5, seed: int = 0
) -> Sampled:
    """Sample candidates: f for foreground, b for background, - for neither."""
    paddle.seed(seed)
    table = np.array([list(row) for row in kinds])
    return sample(
        paddle.to_tensor(table == "f"),
        paddle.to_tensor(table == "b"),
        most=most,
        foreground_share=foreground_share,
    )


def drawn(kinds: Sequence[str], sampled: Sampled) -> list[str]:
    """Return the kinds of what was chosen; every image's rows are valid up to its last one."""
    found = []
    for row, rows, is_valid in zip(
        kinds, sampled.rows.numpy(), sampled.is_valid.numpy(), strict=True
    ):
        count = int(is_valid.sum())
        assert is_valid[:count].all()
        assert len(set(rows[:count])) == count  # nothing twice
        found.append("".join(row[number] for number in rows[:count]))
    return found


@pytest.mark.parametrize(
    ("candidates", "most", "share", "chosen"),
    [
        pytest.param("fbfbfbfbfbfb", 8, 0.5, "ffffbbbb", id="at most the share"),
        pytest.param("bbbbfbbbbb", 8, 0.5, "fbbbbbbb", id="background fills up"),
        pytest.param("bbbbbbbbbb", 8, 0.5, "bbbbbbbb", id="no foreground"),
        pytest.param("bfb", 8, 0.5, "fbb", id="fewer than asked for"),
        pytest.param("ffffffffb", 8, 0.5, "ffffb", id="foreground does not fill up"),
        pytest.param("ffff", 8, 0.25, "ff", id="no background"),
        pytest.param("fffbbb", 3, 0.5, "fbb", id="a share that is not whole is rounded down"),
        pytest.param("--f-b---", 8, 0.5, "fb", id="void candidates"),
    ],
)
def test_foreground_comes_first_and_background_fills_up(
    candidates: str, most: int, share: float, chosen: str
) -> None:
    sampled = draw([candidates], most=most, foreground_share=share)

    assert drawn([candidates], sampled) == [chosen]
    assert sampled.rows.shape[1] == len(chosen)


def test_images_with_fewer_candidates_have_void_rows_at_the_end() -> None:
    candidates = ["bbfbbfbb", "b------f", "--------"]

    sampled = draw(candidates, most=6)

    assert drawn(candidates, sampled) == ["ffbbbb", "fb", ""]
    assert sampled.is_valid.sum(axis=1).tolist() == [6, 2, 0]


def test_without_candidates_there_is_one_void_row() -> None:
    sampled = draw(["--", "--"], most=4)

    assert sampled.is_valid.tolist() == [[False], [False]]
    assert list(sampled.rows.shape) == [2, 1]


def test_seed_decides_what_is_drawn() -> None:
    candidates = ["f" * 40 + "b" * 40] * 2
    first, again, other = (draw(candidates, most=16, seed=seed).rows.numpy() for seed in (1, 1, 2))

    np.testing.assert_array_equal(again, first)
    assert (other != first).any()
    assert (first[0] != first[1]).any()  # images do not share their luck


@pytest.mark.parametrize(
    "kind", [pytest.param("f", id="foreground"), pytest.param("b", id="background")]
)
def test_every_candidate_is_as_likely_as_any_other(kind: str) -> None:
    num_draws, half = 2000, 1000

    sampled = draw([kind * 10] * num_draws, most=5, foreground_share=1.0)

    times = np.bincount(sampled.rows.numpy().ravel(), minlength=10)
    assert times.sum() == 5 * num_draws
    assert np.abs(times - half).max() < 110  # five times the standard deviation of 22
