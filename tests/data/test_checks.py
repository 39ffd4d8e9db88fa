from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from segtune.data.checks import check_split, check_splits
from segtune.data.layout import locate_root
from segtune.progress import SilentReporter
from tests.data.rules.document import (
    HEIGHT,
    REMOVE,
    WIDTH,
    check,
    copies,
    draw_images,
    image,
    instance,
    noise,
    polygons,
    sound_document,
)
from tests.drawing import draw_coco, write_json


@pytest.fixture
def images_root(tmp_path: Path) -> Path:
    return draw_images(tmp_path)


def test_a_missing_file_and_a_folder_are_findings(tmp_path: Path) -> None:
    missing = check_split(tmp_path / "absent.json", tmp_path, reporter=SilentReporter())
    folder = check_split(tmp_path, tmp_path, reporter=SilentReporter())

    assert [finding.code for finding in missing.findings] == ["file-missing"]
    assert [finding.code for finding in folder.findings] == ["file-unreadable"]


def test_damaged_images_are_found(images_root: Path) -> None:
    (images_root / "a.png").write_bytes(b"")
    whole = (images_root / "b.png").read_bytes()
    (images_root / "b.png").write_bytes(whole[: len(whole) // 2])

    found = check(sound_document(), images_root)

    assert [finding.code for finding in found.findings] == ["image-empty", "image-unreadable"]


def test_a_size_from_before_exif_rotation_is_called_that(images_root: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # stored lying, shown upright: 10 wide, 20 high
    noise(0, (HEIGHT, WIDTH)).save(images_root / "a.jpg", exif=turned)
    document = sound_document()
    document["images"][0]["file_name"] = "a.jpg"

    found = check(document, images_root)

    assert [finding.code for finding in found.findings] == ["image-size-exif"]
    assert "stated 20 x 10, is 10 x 20" in found.findings[0].places[0]


def test_skipped_images_need_not_be_there_and_the_report_says_so(images_root: Path) -> None:
    (images_root / "a.png").unlink()
    file = write_json(images_root.parent / "instances.json", sound_document())

    found = check_split(file, images_root, reporter=SilentReporter(), skip_images=True)

    assert [(one.code, one.severity) for one in found.findings] == [("images-skipped", "info")]
    assert found.dataset is not None


def test_all_faults_come_in_one_report_errors_first(images_root: Path) -> None:
    document = sound_document()
    for apply in (
        image("file_name", "c.png", 1),
        instance("category_id", 12),
        instance("bbox", REMOVE),
        instance("segmentation", [[2, 3, 6, 3, 6, 12]]),
        instance("iscrowd", "no", 1),
    ):
        apply(document)

    found = check(document, images_root)

    assert [finding.code for finding in found.findings] == [
        "image-missing",
        "category-unknown",
        "iscrowd-type",
        "category-unused",
        "polygon-beyond-edge",
        "box-missing",
    ]


def test_places_stop_at_ten_and_the_count_does_not(images_root: Path) -> None:
    document = sound_document()
    document["annotations"] += [
        document["annotations"][0] | {"id": 10 + turn, "category_id": 9} for turn in range(25)
    ]

    finding = check(document, images_root).findings[0]

    assert finding.code == "category-unknown"
    assert finding.count == 25
    assert len(finding.places) == 10


def test_an_image_of_300_instances_and_a_crowd_is_not_overfull(images_root: Path) -> None:
    document = sound_document()
    instance("image_id", 1, 1)(document)
    instance("iscrowd", 1, 1)(document)
    copies(299)(document)

    found = check(document, images_root)

    assert "image-overfull" not in [finding.code for finding in found.findings]
    assert found.statistics.instances_per_image == {0: 1, 301: 1}


def test_an_overfull_image_is_a_warning_with_its_count_and_name(images_root: Path) -> None:
    document = sound_document()
    copies(300)(document)
    document["images"].reverse()

    found = {finding.code: finding for finding in check(document, images_root).findings}
    finding = found["image-overfull"]

    assert (finding.severity, finding.count) == ("warning", 1)
    assert finding.places[0].endswith("images[1]: 301 instances, more than 300 (a.png)")
    assert "tiles" in finding.remedy


def test_a_pixel_beyond_the_edge_is_tolerated(images_root: Path) -> None:
    document = sound_document()
    polygons([-1, -1, 21, -1, 21, 11, -1, 11])(document)
    instance("bbox", [-1, -1, 22, 12])(document)
    instance("area", 264)(document)

    assert check(document, images_root).findings == ()


def test_statistics_count_what_is_sound(images_root: Path) -> None:
    document = sound_document()
    instance("category_id", 12)(document)
    instance("iscrowd", 1, 1)(document)

    counts = check(document, images_root).statistics

    assert (counts.num_images, counts.num_instances, counts.num_crowds) == (2, 1, 1)
    assert counts.num_background_images == 1
    assert counts.instances_per_class == {"date": 0, "fig": 1}
    assert counts.instances_per_image == {0: 1, 1: 1}
    assert counts.instances_per_size == {"small": 1, "medium": 0, "large": 0}


def check_both(root: Path) -> list[tuple[str, str]]:
    check = check_splits(locate_root(root), reporter=SilentReporter())
    return [(finding.code, finding.places[0]) for finding in check.findings]


def test_drawn_splits_are_sound(tmp_path: Path) -> None:
    assert check_both(draw_coco(tmp_path / "set", train=24, val=6)) == []


def test_the_order_of_categories_may_differ_between_splits(tiny_coco: Path) -> None:
    file = tiny_coco / "annotations" / "instance_val.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["categories"].reverse()
    write_json(file, document)

    assert not [code for code, _ in check_both(tiny_coco) if code.startswith("category-split")]
