from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from segtune.dataset_report.evidence import Evidence, EvidenceMaker
from segtune.dataset_report.loose import LooseSplit
from segtune.dataset_report.photographs import Photographs
from segtune.dataset_report.places import Place
from tests.drawing import write_json

RING = [10.0, 10, 40, 10, 40, 30, 10, 30]


@pytest.fixture
def maker(tmp_path: Path) -> EvidenceMaker:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 60), (90, 120, 60)).save(tmp_path / "images" / "a.png")
    size = {"height": 60, "width": 100}
    far = [9000.0, 0, 9050, 0, 9050, 10]
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", **size},
            {"id": 2, "file_name": "missing.png", **size},
            {"id": 3, "file_name": "missing.png"},
            "no image",
        ],
        "annotations": [
            {"image_id": 1, "category_id": 1, "segmentation": [RING], "bbox": [10, 10, 30, 20]},
            {"image_id": "1", "category_id": 2, "segmentation": [RING]},
            {"image_id": 1, "category_id": 1, "segmentation": []},
            {"image_id": 2, "category_id": 1, "segmentation": [RING], "bbox": "no box"},
            {"image_id": 3, "category_id": 1, "segmentation": [RING]},
            {"image_id": 1, "category_id": 1, "segmentation": [far]},
            {"image_id": [4], "category_id": {}, "segmentation": [RING]},
            7,
        ],
        "categories": [{"id": 1, "name": "date"}],
    }
    file = write_json(tmp_path / "instances.json", document)
    return EvidenceMaker({"train": LooseSplit(file, tmp_path / "images")}, Photographs())


def evidence(maker: EvidenceMaker, pointer: str) -> Evidence:
    (found,) = maker.of([Place("train", pointer, "")], most=1)
    return found


@pytest.mark.parametrize(
    ("pointer", "alt", "note"),
    [
        ("annotations[0].bbox", "date on a.png: its mask and box drawn in", ""),
        ("annotations[1].image_id", "Unknown class on a.png: its mask drawn in", ""),
        (
            "annotations[3].bbox",
            "date on missing.png: its mask drawn in",
            "the photograph (there is no such image file); its box cannot be drawn",
        ),
        ("images[0]", "Image a.png with 4 annotations drawn in", ""),
    ],
)
def test_what_can_be_drawn_is_drawn(
    maker: EvidenceMaker, pointer: str, alt: str, note: str
) -> None:
    found = evidence(maker, pointer)

    assert str(found.source).startswith("data:image/webp;base64,")
    assert (found.alt, found.note) == (alt, note)


@pytest.mark.parametrize(
    ("pointer", "note"),
    [
        ("annotations[2].segmentation", "its mask is empty"),
        ("annotations[4]", "the photograph (there is no such image file)"),
        ("annotations[5].segmentation[0]", "it lies far off its image"),
        ("annotations[6]", "its image is not listed"),
        ("images[1].file_name", "there is no such image file"),
    ],
)
def test_what_cannot_be_drawn_says_why(maker: EvidenceMaker, pointer: str, note: str) -> None:
    found = evidence(maker, pointer)

    assert (found.source, found.note) == (None, note)


@pytest.mark.parametrize(
    "pointer",
    ["", "categories[0].name", "annotations[7]", "images[3]", "annotations[99]", "images"],
)
def test_what_is_on_no_image_has_no_picture_to_miss(maker: EvidenceMaker, pointer: str) -> None:
    assert maker.of([Place("train", pointer, "")], most=1) == []
    assert maker.of([Place(None, pointer, "")], most=1) == []


def test_no_more_pictures_are_made_than_asked_for(maker: EvidenceMaker) -> None:
    assert len(maker.of([Place("train", "images[0]", "")] * 5, most=2)) == 2
