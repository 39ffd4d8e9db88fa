from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from segtune.cli.convert import SourceName
from segtune.errors import DatasetError
from segtune.formats.guess import SOURCE_FORMATS, guess_format
from tests.formats.labelled import labelme_folder, write_json


def _touch(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    return make


def _labelme(root: Path) -> None:
    labelme_folder(root / "photos", [])


def _yolo(root: Path) -> None:
    (root / "mine.yaml").write_text("names: [a]\ntrain: images/train\n")


def _label_studio(root: Path) -> None:
    write_json(root / "result.json", {"images": []})


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_labelme, "labelme"),
        (_yolo, "yolo"),
        (_touch("SegmentationObject/a.png"), "voc"),
        (_touch("images/a.png", "masks/a/cat_1.png"), "masks"),
        (_touch("a/images/a.png", "a/masks/1.png"), "masks"),
        (_touch("annotations.xml"), "cvat"),
        (_touch("train/_annotations.coco.json", "README.roboflow.txt"), "roboflow"),
        (_touch("annotations/instance_train.json", "images/a.png"), "coco"),
        (_label_studio, "coco"),
    ],
)
def test_unmistakable_folders(tmp_path: Path, make: Callable[[Path], None], expected: str) -> None:
    make(tmp_path)

    assert guess_format(tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("a.xml", "cvat"), ("a.yaml", "yolo"), ("a.json", "coco")]
)
def test_files_are_told_by_their_suffix(tmp_path: Path, name: str, expected: str) -> None:
    _touch(name)(tmp_path)

    assert guess_format(tmp_path / name) == expected


def test_what_can_be_mistaken_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such dataset"):
        guess_format(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="looks like none of the known formats"):
        guess_format(tmp_path)

    _touch("SegmentationObject/a.png", "annotations.xml")(tmp_path)
    with pytest.raises(DatasetError, match="looks like voc and cvat alike"):
        guess_format(tmp_path)


def test_the_command_line_knows_the_same_formats() -> None:
    assert get_args(SourceName) == SOURCE_FORMATS
