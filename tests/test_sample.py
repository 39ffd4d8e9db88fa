from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.errors import DatasetError
from segtune.sample import sample
from tests.drawing import draw_coco
from tests.formats.labelled import read_json, write_json


def _document(root: Path, split: str) -> dict[str, Any]:
    document: dict[str, Any] = read_json(root / "annotations" / f"instance_{split}.json")
    return document


@pytest.mark.parametrize(
    ("wish", "num_train", "num_val"),
    [({"num": 6}, 4, 2), ({"fraction": 0.5}, 6, 3), ({"num": 2}, 1, 1), ({"fraction": 1.0}, 12, 6)],
)
def test_every_split_gives_its_share(
    tmp_path: Path, wish: dict[str, Any], num_train: int, num_val: int
) -> None:
    root = draw_coco(tmp_path / "in", train=12, val=6)

    done = sample(root, tmp_path / "out", **wish)

    assert done.images == {
        "instance_train.json": (num_train, 12),
        "instance_val.json": (num_val, 6),
    }
    report = check_dataset(locate_root(tmp_path / "out"))
    assert report.statistics["train"].num_images == num_train
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == num_train + num_val


def test_all_classes_are_there_and_nothing_is_changed(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in", train=24, val=6, classes=("a", "b", "c", "d"))

    done = sample(root, tmp_path / "out", num=8)

    assert done.missing_classes() == []
    assert check_dataset(locate_root(tmp_path / "out")).errors == ()
    before, after = _document(root, "train"), _document(tmp_path / "out", "train")
    assert after["categories"] == before["categories"]
    ids = {image["id"] for image in after["images"]}
    assert all(image in before["images"] for image in after["images"])
    assert after["annotations"] == [one for one in before["annotations"] if one["image_id"] in ids]


def test_so_many_images_of_each_class(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in", train=24, val=6)

    sample(root, tmp_path / "out", per_class=3)

    document = _document(tmp_path / "out", "train")
    for category in document["categories"]:
        own = {
            one["image_id"]
            for one in document["annotations"]
            if one["category_id"] == category["id"]
        }
        assert len(own) >= 3
    assert len(document["images"]) <= 6


def test_order_does_not_matter_and_the_seed_does(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in", train=24, val=6)
    sample(root, tmp_path / "one", num=8, seed=1)
    document = _document(root, "train")
    for key in ("images", "annotations", "categories"):
        random.Random(1).shuffle(document[key])
    write_json(root / "annotations" / "instance_train.json", document)
    sample(root, tmp_path / "shuffled", num=8, seed=1)
    sample(root, tmp_path / "other", num=8, seed=2)

    one, shuffled, other = (
        _document(tmp_path / name, "train") for name in ("one", "shuffled", "other")
    )
    assert one == shuffled != other


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({}, "not said how many images"),
        ({"num": 3, "fraction": 0.1}, "in several ways"),
        ({"num": 100}, "100 images cannot be chosen from 9 in 2 splits"),
        ({"num": 1}, "1 images cannot be chosen"),
        ({"fraction": 1.5}, "not between 0 and 1"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path: Path, wish: dict[str, Any], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        sample(draw_coco(tmp_path / "in"), tmp_path / "out", **wish)
    assert not (tmp_path / "out").exists()
