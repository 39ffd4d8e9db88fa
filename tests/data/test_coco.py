from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from segtune import masks
from segtune.data.coco import CocoDataset, read_coco
from segtune.errors import DatasetError
from tests.drawing import draw_coco, write_json


def read_train(root: Path) -> CocoDataset:
    return read_coco(root / "annotations" / "instance_train.json", root / "images")


def document_of(root: Path) -> dict[str, Any]:
    return json.loads((root / "annotations" / "instance_train.json").read_text(encoding="utf-8"))


def read_document(tmp_path: Path, document: object) -> CocoDataset:
    return read_coco(write_json(tmp_path / "changed.json", document), tmp_path / "images")


def minimal(annotation: dict[str, Any] | None = None) -> dict[str, Any]:
    """One image 20 wide and 10 high with a rectangle from (2, 3) to (6, 8)."""
    rectangle = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "segmentation": [[2, 3, 6, 3, 6, 8, 2, 8]],
        "bbox": [2, 3, 4, 5],
        "area": 20,
        "iscrowd": 0,
    }
    return {
        "images": [{"id": 1, "file_name": "a.png", "height": 10, "width": 20}],
        "annotations": [rectangle | (annotation or {})],
        "categories": [{"id": 1, "name": "nut"}],
    }


def test_every_image_and_instance_is_read(tiny_coco: Path) -> None:
    dataset = read_train(tiny_coco)

    assert [image.image_id for image in dataset.images] == [1, 2, 3, 4, 5, 6]
    assert [len(image.instances) for image in dataset.images] == [2, 1, 1, 2, 0, 3]
    assert dataset.num_instances == 9
    assert dataset.categories.names == ["disc", "square"]
    assert dataset.images[0].size_hw == (96, 128)


def test_nested_folders_lie_under_the_image_folder(tiny_coco: Path) -> None:
    path = read_train(tiny_coco).images[2].path

    assert path == tiny_coco / "images" / "nested" / "train_002.png"
    assert path.is_file()


def test_segmentations_stay_as_they_are(tiny_coco: Path) -> None:
    dataset = read_train(tiny_coco)

    in_file = [annotation["segmentation"] for annotation in document_of(tiny_coco)["annotations"]]
    assert [i.segmentation for image in dataset.images for i in image.instances] == in_file
    assert len(dataset.images[1].instances[0].segmentation) == 2  # two rings, not one


def test_crowds_are_kept_and_marked(tiny_coco: Path) -> None:
    instances = read_train(tiny_coco).images[3].instances

    assert [instance.is_crowd for instance in instances] == [False, True]


def test_labels_follow_ascending_category_id_not_file_order(tmp_path: Path) -> None:
    document = minimal({"category_id": 3})
    document["categories"] = [{"id": 7, "name": "fig"}, {"id": 3, "name": "date"}]

    dataset = read_document(tmp_path, document)

    assert dataset.categories.names == ["date", "fig"]
    assert dataset.images[0].instances[0].label == 0


def test_boxes_are_corners_cut_at_the_image(tmp_path: Path) -> None:
    dataset = read_document(tmp_path, minimal({"bbox": [-3, 3, 9, 50]}))

    assert dataset.images[0].instances[0].box == (0.0, 3.0, 6.0, 10.0)


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        pytest.param([[2, 3, 6, 3, 6, 8, 2, 8]], (2, 3, 6, 8), id="polygon"),
        pytest.param(
            [[2, 3, 6, 3, 6, 8], [9, 1, 9.5, 1, 9.5, 2]], (2, 1, 9.5, 8), id="two polygons"
        ),
        pytest.param({"size": [10, 20], "counts": [25, 3, 172]}, (2, 5, 3, 8), id="RLE"),
        pytest.param({"size": [10, 20], "counts": "i03\\5"}, (2, 5, 3, 8), id="compressed RLE"),
    ],
)
def test_a_missing_box_is_that_of_the_mask(
    tmp_path: Path, segmentation: Any, box: tuple[float, ...]
) -> None:
    document = minimal({"segmentation": segmentation, "bbox": None})

    assert read_document(tmp_path, document).images[0].instances[0].box == box


def test_a_missing_area_is_that_of_the_mask_and_missing_iscrowd_is_none(tmp_path: Path) -> None:
    document = minimal()
    del document["annotations"][0]["area"], document["annotations"][0]["iscrowd"]

    instance = read_document(tmp_path, document).images[0].instances[0]

    assert instance.area == 20
    assert not instance.is_crowd
    assert masks.area(instance.segmentation, (10, 20)) == 20


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    file = write_json(tmp_path / "marked.json", minimal())
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())

    assert read_coco(file, tmp_path).num_instances == 1


def test_the_first_fault_is_raised_with_place_and_remedy(tmp_path: Path) -> None:
    document = minimal({"category_id": 12})

    with pytest.raises(DatasetError) as caught:
        read_document(tmp_path, document)

    assert "category that is not declared" in caught.value.problem
    assert caught.value.where == f"{tmp_path / 'changed.json'}, annotations[0].category_id: 12"
    assert "categories" in str(caught.value.remedy)


def test_warnings_do_not_keep_a_file_from_being_read(tmp_path: Path) -> None:
    document = minimal({"segmentation": [[-2, 3, 6, 3, 6, 8, -2, 8]]})

    assert read_document(tmp_path, document).num_instances == 1


def test_the_fingerprint_does_not_depend_on_order_or_place(tmp_path: Path) -> None:
    first = draw_coco(tmp_path / "first")
    second = draw_coco(tmp_path / "second")
    document = document_of(second)
    for entries in document.values():
        random.Random(0).shuffle(entries)
    write_json(second / "annotations" / "instance_train.json", document)

    assert read_train(first).fingerprint() == read_train(second).fingerprint()
    assert read_train(first).images[5].instances == read_train(second).images[5].instances


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"segmentation": [[2, 3, 6, 3, 6, 8, 2, 9]]}, id="a point"),
        pytest.param({"segmentation": {"size": [10, 20], "counts": [25, 3, 172]}}, id="the form"),
        pytest.param({"bbox": [2, 3, 4, 4]}, id="the box"),
        pytest.param({"iscrowd": 1}, id="a crowd"),
        pytest.param({"id": 2}, id="an id"),
    ],
)
def test_the_fingerprint_changes_with(tmp_path: Path, change: dict[str, Any]) -> None:
    before = read_document(tmp_path, minimal()).fingerprint()

    assert read_document(tmp_path, minimal(change)).fingerprint() != before


def test_a_dataset_without_images_has_a_fingerprint(tmp_path: Path) -> None:
    dataset = read_document(tmp_path, minimal())

    empty = CocoDataset(dataset.annotation_file, dataset.categories, ())

    assert empty.num_instances == 0
    assert len(empty.fingerprint()) == 64
