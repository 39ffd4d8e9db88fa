from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtune import masks
from segtune.check_dataset import check_dataset
from segtune.convert import TargetFormat, convert
from segtune.data.layout import locate_root
from segtune.errors import DatasetError, OutputError
from segtune.split import split_dataset
from tests.drawing import draw_coco
from tests.formats.labelled import (
    SIZE,
    coco_masks,
    corners,
    draw_picture,
    iou,
    labelme_folder,
    labelme_masks,
    mask_shape,
    read_json,
    rectangle_bitmap,
    ring,
    shape,
    write_json,
)


def _labelme_of_every_shape(folder: Path, num: int = 4) -> Path:
    """Draw LabelMe files with polygons, rectangles, groups, painted masks and nothing."""
    generator = np.random.default_rng(3)
    blob = generator.random((20, 25)) < 0.5
    blob[0, 0] = blob[-1, -1] = True
    for number in range(num):
        shapes = [
            shape("leaf", [[3.3, 4.1], [20.7, 9.9], [12.2, 24.6 + number]]),
            shape("box", [[30.5, 5.25], [44.75, 19.5]], "rectangle"),
            shape("leaf", corners(50, 3, 57, 11), group_id=2),
            shape("leaf", corners(55, 8, 70, 16), group_id=2),  # overlaps the part before
            shape("leaf", [[71, 20], [79.9, 20], [75, 33.3]], group_id=3),
            mask_shape("moss", 5, 33, blob),
            mask_shape("moss", 40, 40, np.ones((3, 5), bool), group_id=4),
            shape("moss", corners(48, 40, 60, 50), group_id=4),
        ]
        labelme_folder(folder, shapes if number else [], name=f"photo_{number}", seed=number)
    return folder


def test_labelme_to_coco_and_back_gives_the_same_masks(tmp_path: Path) -> None:
    source = _labelme_of_every_shape(tmp_path / "labelme")

    convert(source, tmp_path / "coco")
    convert(tmp_path / "coco", tmp_path / "back", to="labelme")

    before = labelme_masks(source)
    between = coco_masks(tmp_path / "coco" / "annotations" / "instances.json")
    after = labelme_masks(tmp_path / "back")
    assert len(before) == len(between) == len(after) == 18
    for one, two, three in zip(before, between, after, strict=True):
        assert one[:2] == two[:2] == three[:2]
        assert iou(one[2], two[2]) == iou(one[2], three[2]) == 1.0


def test_circles_and_holes_are_the_same_after_the_first_way(tmp_path: Path) -> None:
    shapes = [
        shape("coin", [[20, 30], [32.5, 30]], "circle"),
        shape("ring", corners(45, 10, 75, 40)),
        shape("_background_", corners(50, 15, 70, 35)),
    ]
    labelme_folder(tmp_path / "labelme", shapes)

    convert(tmp_path / "labelme", tmp_path / "coco")
    convert(tmp_path / "coco", tmp_path / "back", to="labelme")
    convert(tmp_path / "back", tmp_path / "again")

    first, second = (
        coco_masks(tmp_path / name / "annotations" / "instances.json") for name in ("coco", "again")
    )
    ring_bitmap = rectangle_bitmap(45, 10, 75, 40) & ~rectangle_bitmap(50, 15, 70, 35)
    np.testing.assert_array_equal(first[1][2], ring_bitmap)
    assert [iou(one[2], other[2]) for one, other in zip(first, second, strict=True)] == [1, 1]
    assert iou(labelme_masks(tmp_path / "labelme")[0][2], first[0][2]) > 0.98


@pytest.mark.parametrize(
    ("to", "least_iou", "num_crowds"), [("labelme", 1.0, 2), ("coco", 1.0, 2), ("yolo", 0.98, 0)]
)
def test_coco_comes_back_from_every_format(
    tmp_path: Path, to: TargetFormat, least_iou: float, num_crowds: int
) -> None:
    root = draw_coco(tmp_path / "coco", train=12, val=6)

    there = convert(root, tmp_path / "there", to=to)
    convert(tmp_path / "there", tmp_path / "back")

    for split in ("train", "val"):
        name = f"annotations/instance_{split}.json"
        before, after = coco_masks(root / name), coco_masks(tmp_path / "back" / name)
        crowds = [one["iscrowd"] == 1 for one in read_json(root / name)["annotations"]]
        if not num_crowds:
            before = [one for one, crowd in zip(before, crowds, strict=True) if not crowd]
        else:
            again = [
                one["iscrowd"] == 1 for one in read_json(tmp_path / "back" / name)["annotations"]
            ]
            assert sorted(again) == sorted(crowds)
        key = lambda one: (one[0], one[1], np.flatnonzero(one[2])[0])  # noqa: E731
        before, after = sorted(before, key=key), sorted(after, key=key)
        assert [one[:2] for one in before] == [one[:2] for one in after]
        for one, other in zip(before, after, strict=True):
            assert iou(one[2], other[2]) >= least_iou
    lost = {entry.kind: entry.count for entry in there.account.lost}
    assert lost == ({} if num_crowds else {"crowd": 3})
    assert check_dataset(locate_root(tmp_path / "back")).errors == ()


@pytest.mark.parametrize("to", ["coco", "labelme", "yolo"])
def test_every_picture_comes_along_byte_for_byte(tmp_path: Path, to: TargetFormat) -> None:
    root = draw_coco(tmp_path / "coco")

    convert(root, tmp_path / "there", to=to)

    def contents(folder: Path) -> list[bytes]:
        return sorted(path.read_bytes() for path in folder.rglob("*.png"))

    assert contents(tmp_path / "there") == contents(root)


def test_a_labelme_folder_becomes_a_dataset_that_passes_the_check(tmp_path: Path) -> None:
    source = _labelme_of_every_shape(tmp_path / "labelme", num=8)

    done = convert(source, tmp_path / "coco")
    split_dataset(tmp_path / "coco", tmp_path / "split", shares={"val": 0.25})

    report = check_dataset(locate_root(tmp_path / "split"))
    assert report.errors == ()
    assert report.statistics["val"].num_images == 2
    assert done.images_per_split == {"all": 8}
    assert done.instances_per_class == {"box": 7, "leaf": 21, "moss": 14}


def test_boxes_and_areas_are_those_of_the_masks(tmp_path: Path) -> None:
    bitmap = np.zeros((4, 6), bool)
    bitmap[1:3, 2:6] = True
    shapes = [
        shape("x", corners(10, 10, 20, 14), group_id=1),
        shape("x", corners(30, 10, 34, 20), group_id=1),
        mask_shape("x", 50, 40, bitmap),
    ]

    convert(labelme_folder(tmp_path / "in", shapes), tmp_path / "out")

    annotations = read_json(tmp_path / "out" / "annotations" / "instances.json")["annotations"]
    assert [(one["bbox"], one["area"]) for one in annotations] == [
        ([10, 10, 24, 10], 40 + 40),
        ([52, 41, 4, 2], 8),
    ]


def test_faulty_instances_are_counted_and_left_out(tmp_path: Path) -> None:
    good = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0}
    segmentations: list[Any] = [
        [ring(1, 1, 5, 5)],
        None,
        [],
        "text",
        [[1, 1, 5, 5, 3]],
        [[1, 1, 5, 5]],
        [[1, 1, 5, 5, float("inf"), 3]],
        [[1, 1, 5, 5, "a", 3]],
        [ring(1000, 1, 1005, 5)],
        [ring(-9, 1, -4, 5)],
        {"size": [60, 80], "counts": "n5" * 9},
        {"size": [60, 80], "counts": "\u20ac"},
        {"size": [60, 80], "counts": [4700, 10]},
        {"size": [60, 80], "counts": [4800]},
        {"size": [1, 1], "counts": [0, 1]},
        {"size": [60, 80]},
    ]
    annotations = [
        good | {"id": number, "segmentation": segmentation}
        for number, segmentation in enumerate(segmentations, start=1)
    ]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 60, "width": 80}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "x"}],
    }
    write_json(tmp_path / "in" / "annotations" / "instance_train.json", document)
    draw_picture(tmp_path / "in" / "images" / "a.png")

    done = convert(tmp_path / "in", tmp_path / "out")

    assert done.num_instances == 1
    assert {entry.kind: entry.count for entry in done.account.lost} == {
        "annotation without segmentation": 3,
        "polygon with an odd number of coordinates": 1,
        "polygon of fewer than three points": 1,
        "polygon with a coordinate that is not a finite number": 2,
        "polygon far outside its image": 1,
        "mask without a pixel on its image": 2,
        "RLE that is damaged": 2,
        "RLE of another size than its image": 3,
    }


def test_names_that_collide_are_kept_apart(tmp_path: Path) -> None:
    for number, folder in enumerate(("train", "valid")):
        document = {
            "images": [{"id": 1, "file_name": "a.png", "height": 60, "width": 80}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [ring(1, 1, 9, 9)]}
            ],
            "categories": [
                {"id": 0, "name": "all", "supercategory": "none"},
                {"id": 1, "name": "x", "supercategory": "all"},
            ],
        }
        write_json(tmp_path / "in" / folder / "_annotations.coco.json", document)
        draw_picture(tmp_path / "in" / folder / "a.png", seed=number)

    done = convert(tmp_path / "in", tmp_path / "out")

    assert done.source_format == "roboflow"
    train, val = (
        read_json(tmp_path / "out" / "annotations" / f"instance_{split}.json")
        for split in ("train", "val")
    )
    assert [train["images"][0]["file_name"], val["images"][0]["file_name"]] == [
        "a.png",
        "val/a.png",
    ]
    assert train["categories"] == val["categories"] == [{"id": 1, "name": "x"}]
    assert [train["images"][0]["id"], val["images"][0]["id"]] == [1, 2]
    pictures = [tmp_path / "out" / "images" / name for name in ("a.png", "val/a.png")]
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    assert check_dataset(locate_root(tmp_path / "out")).errors == ()


def test_renamed_classes_are_joined(tmp_path: Path) -> None:
    shapes = [shape(label, corners(1, 1, 5, 5)) for label in ("Cat", "cat ", "dog")]

    done = convert(
        labelme_folder(tmp_path / "in", shapes),
        tmp_path / "out",
        renames={"Cat": "cat", "cat ": "cat"},
    )

    assert done.instances_per_class == {"cat": 2, "dog": 1}
    with pytest.raises(DatasetError, match="there is no class 'cow' to rename"):
        convert(tmp_path / "in", tmp_path / "other", renames={"cow": "x"})


def test_linked_pictures_are_the_files_of_the_source(tmp_path: Path) -> None:
    source = labelme_folder(tmp_path / "in", [shape("x", corners(1, 1, 5, 5))])

    convert(source, tmp_path / "linked", link=True)
    convert(source, tmp_path / "copied")

    assert (tmp_path / "linked" / "images" / "a.png").samefile(source / "a.png")
    assert not (tmp_path / "copied" / "images" / "a.png").samefile(source / "a.png")


def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    source = labelme_folder(tmp_path / "in", [shape("x", corners(1, 1, 5, 5))])
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        convert(source, tmp_path / "there")
    with pytest.raises(OutputError, match="lies inside"):
        convert(source, source / "out")

    (source / "b.json").write_text("{")
    with pytest.raises(DatasetError, match=r"b\.json is not valid JSON"):
        convert(source, tmp_path / "out", source_format="labelme")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "there"]


def test_a_source_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    write_json(tmp_path / "in" / "a.json", {"shapes": [], "imagePath": "gone.png"})

    with pytest.raises(DatasetError, match="no image can be carried over") as caught:
        convert(tmp_path / "in", tmp_path / "out")
    assert "1 x image that is missing" in str(caught.value)


def test_the_summary_is_json(tmp_path: Path) -> None:
    shapes = [shape("x", corners(1, 1, 5, 5)), shape("x", [[1, 1]], "point")]

    done = convert(labelme_folder(tmp_path / "in", shapes), tmp_path / "out")

    assert json.loads(json.dumps(done.to_json())) == {
        "from": "labelme",
        "to": "coco",
        "output": f"{tmp_path}/out",
        "images": 1,
        "instances": 1,
        "images_per_split": {"all": 1},
        "instances_per_class": {"x": 1},
        "carried_over": {"polygon shape": 1, "instances": 1},
        "not_carried_over": [
            {
                "kind": "point shape, which has no area",
                "count": 1,
                "places": [f"{tmp_path}/in/a.json, shapes[1], x"],
            }
        ],
        "notes": [],
    }


def test_one_picture_with_two_suffixes_keeps_two_label_files(tmp_path: Path) -> None:
    source = labelme_folder(tmp_path / "in", [shape("x", corners(1, 1, 5, 5))])
    draw_picture(source / "sub" / "a.png", seed=5)
    draw_picture(source / "sub" / "A.bmp", seed=6)
    write_json(source / "sub" / "a.json", read_json(source / "a.json"))
    write_json(source / "sub" / "A_.json", read_json(source / "a.json") | {"imagePath": "A.bmp"})

    convert(source, tmp_path / "yolo", to="yolo")

    labels = sorted(path.name for path in (tmp_path / "yolo").rglob("*.txt"))
    assert labels == ["A.txt", "a.txt", "a_2.txt"]


def test_an_instance_that_covers_its_whole_image(tmp_path: Path) -> None:
    height, width = SIZE
    shapes = [
        shape("sky", corners(0, 0, width, height)),
        mask_shape("all", 0, 0, np.ones(SIZE, bool)),
    ]

    convert(labelme_folder(tmp_path / "in", shapes), tmp_path / "yolo", to="yolo")
    convert(tmp_path / "yolo", tmp_path / "coco")

    found = coco_masks(tmp_path / "coco" / "annotations" / "instance_train.json")
    assert [bitmap.all() for _, _, bitmap in found] == [True, True]
    assert masks.area([ring(0, 0, width, height)], SIZE) == width * height
