from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from segtune import exif
from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.data.repair.plan import RepairPlan
from tests.data.repair.broken import Document, build, changes, plan, sound

LONG, SHORT = 60, 40
IN_BOTH = [10, 5, 30, 5, 30, 25, 10, 25]
LYING = [10, 5, 50, 5, 50, 25, 10, 25]  # on 60 x 40 only
STANDING = [5, 10, 25, 10, 25, 50, 5, 50]  # on 40 x 60 only
NOWHERE = [10, 5, 70, 5, 70, 25, 10, 25]


def turned(
    root: Path,
    *rings: list[int],
    size_hw: tuple[int, int] = (SHORT, LONG),
    suffix: str = "jpg",
    other: list[int] | None = None,
) -> Path:
    """Return a dataset with one picture a ring, stored lying, shown standing."""
    document = sound()
    document["images"], document["annotations"] = [], []
    for number, ring in enumerate(rings, start=1):
        add(document, number, ring, size_hw, suffix)
    val = sound()
    if other is not None:
        add(val, 9, other, (LONG, SHORT), suffix)
    build(root, document, val)
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    for number in (*range(1, len(rings) + 1), 9):
        picture = Image.new("RGB", (LONG, SHORT), (30 * number, 120, 60))
        picture.save(root / "images" / f"{number}.{suffix}", exif=tags)
    return root


def add(
    document: Document, number: int, ring: list[int], size_hw: tuple[int, int], suffix: str
) -> None:
    height, width = size_hw
    document["images"].append(
        {"id": number, "file_name": f"{number}.{suffix}", "height": height, "width": width}
    )
    if ring:
        document["annotations"].append(
            {
                "id": 100 + number,
                "image_id": number,
                "category_id": 1,
                "segmentation": [ring],
                "bbox": [min(ring[::2]), min(ring[1::2]), ring[4] - ring[0], ring[5] - ring[1]],
                "area": (ring[4] - ring[0]) * (ring[5] - ring[1]),
                "iscrowd": 0,
            }
        )


def kinds(found: RepairPlan) -> list[tuple[str, str]]:
    return [(pointer, repair) for pointer, repair, _, _ in changes(found)]


def test_masks_of_the_stored_picture_switch_the_rotation_off(tmp_path: Path) -> None:
    found = plan(turned(tmp_path / "set", LYING))

    assert changes(found) == [("images[0].file_name", "exif-orientation", 6, 1)]
    assert exif.orientation(found.turned["1.jpg"]) == 1


def test_masks_of_the_upright_picture_turn_the_size(tmp_path: Path) -> None:
    found = plan(turned(tmp_path / "set", STANDING))

    assert changes(found) == [
        ("images[0].height", "image-size-exif", SHORT, LONG),
        ("images[0].width", "image-size-exif", LONG, SHORT),
    ]
    assert found.turned == {}


def test_masks_that_fit_both_follow_the_size(tmp_path: Path) -> None:
    assert kinds(plan(turned(tmp_path / "set", IN_BOTH))) == [
        ("images[0].file_name", "exif-orientation")
    ]


def test_masks_that_fit_both_are_left_where_others_were_drawn_upright(tmp_path: Path) -> None:
    root = turned(tmp_path / "set", IN_BOTH, STANDING)

    found = plan(root)

    assert [pointer for pointer, _ in kinds(found)] == ["images[1].height", "images[1].width"]
    (root / "annotations" / "instance_train.json").write_bytes(found.train)
    assert changes(plan(root)) == []


def test_a_picture_without_masks_has_its_size_turned(tmp_path: Path) -> None:
    assert kinds(plan(turned(tmp_path / "set", []))) == [
        ("images[0].height", "image-size-exif"),
        ("images[0].width", "image-size-exif"),
    ]


@pytest.mark.parametrize("ring", [STANDING, IN_BOTH, LYING])
def test_a_size_that_is_right_is_left(ring: list[int], tmp_path: Path) -> None:
    found = plan(turned(tmp_path / "set", ring, size_hw=(LONG, SHORT)))

    assert "exif-orientation" not in [repair for _, repair in kinds(found)]
    assert json.loads(found.train)["images"][0]["height"] == LONG


def test_masks_that_fit_neither_are_left(tmp_path: Path) -> None:
    found = plan(turned(tmp_path / "set", NOWHERE))

    assert json.loads(found.train)["images"][0]["height"] == SHORT
    assert found.turned == {}


def test_a_size_is_not_made_up_where_masks_leave_the_file(tmp_path: Path) -> None:
    root = turned(tmp_path / "set", LYING)
    file = root / "annotations" / "instance_train.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    del document["images"][0]["height"]
    file.write_text(json.dumps(document), encoding="utf-8")

    assert changes(plan(root)) == []


def test_a_picture_that_the_other_split_has_upright_is_left(tmp_path: Path) -> None:
    root = turned(tmp_path / "set", LYING, other=STANDING)
    file = root / "annotations" / "instance_train.json"
    document = file.read_text(encoding="utf-8").replace("1.jpg", "9.jpg")
    file.write_text(document, encoding="utf-8")

    assert changes(plan(root)) == []


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_other_formats_are_left_to_their_owner(suffix: str, tmp_path: Path) -> None:
    root = turned(tmp_path / "set", LYING, suffix=suffix)

    assert changes(plan(root)) == []
    assert [finding.code for finding in check_dataset(locate_root(root)).errors] == [
        "image-size-exif"
    ]
