from __future__ import annotations

from pathlib import Path

import pytest

from segtune.data.layout import SplitFiles, locate, locate_root
from segtune.errors import DatasetError
from segtune.recipe import DataRecipe


def in_root(root: Path) -> SplitFiles:
    return SplitFiles(
        root / "annotations" / "instance_train.json",
        root / "annotations" / "instance_val.json",
        root / "images",
    )


def test_a_root_holds_everything(tiny_coco: Path) -> None:
    assert locate_root(tiny_coco) == in_root(tiny_coco)


def test_relative_paths_start_from_the_base(tiny_coco: Path) -> None:
    assert locate(DataRecipe(root=Path("tiny")), tiny_coco.parent) == in_root(tiny_coco)


def test_explicit_paths_need_no_root(tiny_coco: Path) -> None:
    data = DataRecipe(
        train=Path("annotations/instance_train.json"),
        val=tiny_coco / "annotations" / "instance_val.json",
        images=Path("images"),
    )

    assert locate(data, tiny_coco) == in_root(tiny_coco)


def test_a_recipe_without_a_dataset_is_told_what_to_give() -> None:
    with pytest.raises(DatasetError, match="does not say where") as caught:
        locate(DataRecipe(), Path())

    assert "data.root" in str(caught.value.remedy)


def test_everything_that_is_missing_is_named_at_once(tiny_coco: Path) -> None:
    (tiny_coco / "annotations" / "instance_val.json").unlink()
    (tiny_coco / "images").rename(tiny_coco / "pictures")

    with pytest.raises(DatasetError, match="2 of 3 parts") as caught:
        locate_root(tiny_coco)

    assert str(tiny_coco / "annotations" / "instance_val.json") in str(caught.value.where)
    assert str(tiny_coco / "images") in str(caught.value.where)


def test_a_file_is_no_root(tiny_coco: Path) -> None:
    with pytest.raises(DatasetError, match="a dataset is a folder, this is a file"):
        locate_root(tiny_coco / "annotations" / "instance_val.json")


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such dataset folder"):
        locate_root(tmp_path / "absent")
