from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.coco import read_coco_dataset
from segtune.formats.coco_files import find_coco_files
from segtune.progress import SilentReporter
from tests.formats.labelled import draw_picture, ring, write_json


def _read(source: Path, images: Path | None = None) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    read = read_coco_dataset(source, account, images=images, reporter=SilentReporter())
    return read, account


def _document(file_name: str = "a.png", **more: Any) -> dict[str, Any]:
    """Return a COCO file of one image with one square of category 3, `cat`."""
    annotation = {
        "id": 7,
        "image_id": 5,
        "category_id": 3,
        "segmentation": [ring(1, 1, 5, 5)],
        "bbox": [1, 1, 4, 4],
        "area": 16,
        "iscrowd": 0,
    }
    return {
        "images": [{"id": 5, "file_name": file_name, "height": 60, "width": 80}],
        "annotations": [annotation],
        "categories": [{"id": 3, "name": "cat"}],
    } | more


@pytest.mark.parametrize(
    ("file", "picture", "stated", "split"),
    [
        ("annotations/instance_train.json", "images/a.png", "a.png", "train"),
        ("annotations/instances_val2017.json", "val2017/a.png", "a.png", "val"),
        ("annotations/instances_default.json", "images/a.png", "a.png", None),
        ("annotations/instances_Train.json", "images/Train/a.png", "a.png", "train"),
        ("annotations/instances_Validation.json", "images/b/a.png", "b\\a.png", "val"),
        ("train/_annotations.coco.json", "train/a.png", "a.png", "train"),
        ("valid/_annotations.coco.json", "valid/a.png", "a.png", "val"),
        ("_annotations.coco.json", "a.png", "a.png", None),
        ("result.json", "images/a.png", "images/a.png", None),
        ("annotations.json", "a.png", "C:\\me\\a.png", None),
    ],
    ids=lambda value: str(value),
)
def test_the_layouts_of_other_tools_are_known(
    tmp_path: Path, file: str, picture: str, stated: str, split: str | None
) -> None:
    write_json(tmp_path / file, _document(stated))
    path = draw_picture(tmp_path / picture)

    dataset, account = _read(tmp_path)

    (image,) = dataset.images
    assert (image.source, image.split, image.image_id) == (path, split, 5)
    assert image.instances[0].annotation_id == 7
    assert dataset.ids_by_class() == {"cat": 3}
    assert account.lost == account.notes == ()


def test_captions_and_keypoints_beside_the_instances_are_left_alone(tmp_path: Path) -> None:
    for name in ("captions_train2017", "instances_train2017", "person_keypoints_train2017"):
        write_json(tmp_path / "annotations" / f"{name}.json", {})

    assert [file.path.name for file in find_coco_files(tmp_path)] == ["instances_train2017.json"]


def test_one_file_with_the_images_elsewhere(tmp_path: Path) -> None:
    file = write_json(tmp_path / "x" / "labels.json", _document("sub/a.png"))
    picture = draw_picture(tmp_path / "pictures" / "sub" / "a.png")

    dataset, _ = _read(file, tmp_path / "pictures")

    assert (dataset.images[0].source, dataset.images[0].file_name) == (picture, "sub/a.png")


def test_the_parent_class_of_roboflow_goes_and_a_used_one_stays(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "boards", "supercategory": "none"},
        {"id": 3, "name": "cat", "supercategory": "boards"},
    ]
    file = tmp_path / "train" / "_annotations.coco.json"
    draw_picture(tmp_path / "train" / "a.png")
    write_json(file, _document(categories=categories))

    dataset, account = _read(tmp_path)

    assert dataset.class_names == ("cat",)
    assert account.notes[0].places == ["'boards'"]

    used = _document(categories=categories)
    used["annotations"][0]["category_id"] = 0
    write_json(file, used)
    assert _read(tmp_path)[0].class_names == ("boards", "cat")


def test_files_that_disagree_on_ids_are_joined_by_name(tmp_path: Path) -> None:
    for split, categories in (
        ("train", [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}]),
        ("val", [{"id": 3, "name": "dog"}, {"id": 4, "name": "cat"}]),
    ):
        write_json(
            tmp_path / "annotations" / f"instance_{split}.json", _document(categories=categories)
        )
    draw_picture(tmp_path / "images" / "a.png")

    dataset, account = _read(tmp_path)

    assert dataset.ids_by_class() == {"cat": 1, "dog": 2}
    assert [image.instances[0].class_name for image in dataset.images] == ["cat", "dog"]
    assert account.notes[0].count == 1


def test_what_an_annotation_has_besides_is_counted_where_it_says_something(tmp_path: Path) -> None:
    document = _document(info={"year": 2024})
    document["annotations"][0] |= {"attributes": {"occluded": False}, "score": 0.5, "keypoints": []}
    document["images"][0]["license"] = 1
    write_json(tmp_path / "annotations" / "instances_default.json", document)
    draw_picture(tmp_path / "images" / "a.png")

    dataset, account = _read(tmp_path)

    assert [entry.kind for entry in account.lost] == [
        "'attributes' of an annotation",
        "'score' of an annotation",
    ]
    assert dataset.more == {"info": {"year": 2024}}
    assert dataset.images[0].more == {"license": 1}


def test_missing_and_damaged_images_are_counted(tmp_path: Path) -> None:
    document = _document()
    document["images"].append({"id": 6, "file_name": "b.png", "height": 1, "width": 1})
    document["images"].append({"id": 8, "file_name": "../a.png", "height": 1, "width": 1})
    write_json(tmp_path / "set" / "annotations" / "instances_default.json", document)
    draw_picture(tmp_path / "a.png")
    (tmp_path / "set" / "b.png").write_bytes(b"no picture")

    dataset, account = _read(tmp_path / "set")

    assert dataset.images == ()
    assert {entry.kind: entry.count for entry in account.lost} == {
        "image that is missing": 2,
        "image that cannot be read": 1,
    }


def _without_id(document: dict[str, Any]) -> None:
    del document["images"][0]["id"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda document: document.update(images={}), "does not hold COCO"),
        (_without_id, r"an entry has no id"),
        (lambda document: document["images"].append(document["images"][0]), "is used twice"),
        (lambda document: document["images"][0].update(file_name=3), "an image has no file_name"),
        (lambda document: document["annotations"][0].update(image_id=1), "belongs to no image"),
        (lambda document: document["annotations"][0].update(category_id=[]), "to no category"),
        (lambda document: document["categories"][0].update(name=None), "a class has no name"),
    ],
)
def test_files_with_unsound_references_are_errors(
    tmp_path: Path, change: Any, problem: str
) -> None:
    document = _document()
    change(document)
    write_json(tmp_path / "annotations" / "instances_default.json", document)

    with pytest.raises(DatasetError, match=problem):
        _read(tmp_path)


def test_a_folder_without_annotations_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no COCO annotation file"):
        _read(tmp_path)
