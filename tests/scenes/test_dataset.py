"""Tests of the drawn dataset as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtune import masks
from segtune.errors import DatasetError, OutputError
from segtune.images import read_image
from segtune.scenes import draw_dataset

SIZE = (128, 160)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(
        tmp_path_factory.mktemp("drawn") / "set", num_images=12, size_hw=SIZE, val_share=0.25
    )


def annotations_of(root: Path, split: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (root / "annotations" / f"instance_{split}.json").read_text()
    )
    return content


def test_every_scene_is_in_one_split_and_on_disk(drawn: Path) -> None:
    train, val = (annotations_of(drawn, split)["images"] for split in ("train", "val"))
    files = {path.name for path in (drawn / "images").iterdir()}

    assert (len(train), len(val)) == (9, 3)
    assert {entry["file_name"] for entry in train + val} == files
    assert len({entry["id"] for entry in train + val}) == 12


def test_pictures_have_the_size_that_the_annotations_state(drawn: Path) -> None:
    for entry in annotations_of(drawn, "val")["images"]:
        image = read_image(drawn / "images" / entry["file_name"])
        assert image.shape[:2] == (entry["height"], entry["width"]) == SIZE


def test_box_and_area_are_those_of_the_mask(drawn: Path) -> None:
    for annotation in annotations_of(drawn, "train")["annotations"]:
        bitmap = masks.rasterise(annotation["segmentation"], SIZE)
        rows, columns = np.nonzero(bitmap)
        left, top, width, height = annotation["bbox"]

        # A polygon may miss the mask by a pixel here and there, an RLE by none.
        leeway = 1 if isinstance(annotation["segmentation"], list) else 0
        assert abs(int(columns.min()) - left) <= leeway
        assert abs(int(rows.min()) - top) <= leeway
        assert abs(int(columns.max()) + 1 - left - width) <= leeway
        assert abs(int(rows.max()) + 1 - top - height) <= leeway
        assert annotation["area"] == pytest.approx(bitmap.sum(), rel=0.02 * leeway)


def test_all_forms_of_annotation_occur(drawn: Path) -> None:
    splits = [annotations_of(drawn, split) for split in ("train", "val")]
    annotations = [entry for split in splits for entry in split["annotations"]]
    image_ids = {entry["id"] for split in splits for entry in split["images"]}

    assert any(isinstance(entry["segmentation"], list) for entry in annotations)
    assert any(isinstance(entry["segmentation"], dict) for entry in annotations)
    assert {entry["category_id"] for entry in annotations} == {1, 2, 3, 4}
    crowds = [entry for entry in annotations if entry["iscrowd"]]
    assert [isinstance(entry["segmentation"], dict) for entry in crowds] == [True]
    assert len(image_ids - {entry["image_id"] for entry in annotations}) == 1  # a background


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    roots = [
        draw_dataset(tmp_path / name, num_images=4, size_hw=(96, 96), seed=seed, val_share=0.5)
        for name, seed in (("one", 7), ("same", 7), ("other", 8))
    ]
    content = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")} for root in roots
    ]

    assert content[0] == content[1]
    assert content[0].keys() == content[2].keys()
    assert content[0] != content[2]


def test_first_scenes_do_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    few = draw_dataset(tmp_path / "few", num_images=2, size_hw=(64, 64), val_share=0.5)
    more = draw_dataset(tmp_path / "more", num_images=4, size_hw=(64, 64), val_share=0.5)

    name = "images/scene_0001.jpg"
    assert (few / name).read_bytes() == (more / name).read_bytes()


def test_existing_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    with pytest.raises(OutputError, match="exists already"):
        draw_dataset(tmp_path / "mine", num_images=2, val_share=0.5)

    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize(("num_images", "val_share"), [(0, 0.5), (1, 0.5), (2, 0.1), (4, 1.0)])
def test_split_without_scenes_is_refused_before_anything_is_written(
    tmp_path: Path, num_images: int, val_share: float
) -> None:
    with pytest.raises(DatasetError, match="for validation"):
        draw_dataset(tmp_path / "set", num_images=num_images, val_share=val_share)

    assert list(tmp_path.iterdir()) == []


def test_scene_too_small_for_things_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no room"):
        draw_dataset(tmp_path / "set", size_hw=(320, 20))
