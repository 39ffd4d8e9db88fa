from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.errors import DatasetError, OutputError
from segtune.merge import BOTH_SPLITS, SAME_SPLIT, merge
from tests.drawing import draw_coco
from tests.formats.labelled import draw_picture, read_json, ring, write_json


def _documents(root: Path) -> dict[str, Any]:
    return {path.stem: read_json(path) for path in sorted((root / "annotations").iterdir())}


def _one_image(root: Path, categories: list[dict[str, Any]], seed: int = 0, **more: Any) -> Path:
    """Write a dataset of one image in both splits, with one square of the last category."""
    for turn, split in enumerate(("train", "val")):
        draw_picture(root / "images" / f"{split}.png", seed=10 * seed + turn)
        annotation = {
            "id": 1 + turn,
            "image_id": 1 + turn,
            "category_id": categories[-1]["id"],
            "segmentation": [ring(1, 1, 9, 9)],
            "bbox": [1, 1, 8, 8],
            "area": 64.0,
            "iscrowd": 0,
        }
        image = {"id": 1 + turn, "file_name": f"{split}.png", "height": 60, "width": 80}
        document = {
            "images": [image | {"license": 1}],
            "annotations": [annotation],
            "categories": categories,
        }
        write_json(root / "annotations" / f"instance_{split}.json", document | more)
    return root


def test_classes_are_joined_by_name_and_conflicting_ids_are_given_anew(tmp_path: Path) -> None:
    first = _one_image(tmp_path / "a", [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    second = _one_image(tmp_path / "b", [{"id": 1, "name": "dog"}, {"id": 2, "name": "cow"}], 1)

    done = merge([first, second], tmp_path / "out")

    documents = _documents(tmp_path / "out")
    for document in documents.values():
        assert [(one["id"], one["name"]) for one in document["categories"]] == [
            (1, "cat"),
            (2, "dog"),
            (3, "cow"),
        ]
        assert [one["category_id"] for one in document["annotations"]] == [2, 3]
    assert done.instances_per_class == {"cat": 0, "dog": 2, "cow": 2}
    assert done.images_per_source == {str(first): 2, str(second): 2}
    assert done.images_per_split == {"instance_train.json": 2, "instance_val.json": 2}
    assert done.account.notes[0].places == [
        f"{second}, dog: 1 is 2 now",
        f"{second}, cow: 2 is 3 now",
    ]
    assert check_dataset(locate_root(tmp_path / "out")).errors == ()


def test_classes_can_be_renamed_on_the_way(tmp_path: Path) -> None:
    first = _one_image(tmp_path / "a", [{"id": 1, "name": "dog"}])
    second = _one_image(tmp_path / "b", [{"id": 1, "name": "Dog "}], 1)

    done = merge([first, second], tmp_path / "out", renames={"Dog ": "dog"})

    assert done.instances_per_class == {"dog": 4}
    with pytest.raises(DatasetError, match="there is no class 'fox' to rename"):
        merge([first, second], tmp_path / "other", renames={"fox": "dog"})
    apart = {
        note.kind: note.places for note in merge([first, second], tmp_path / "third").account.notes
    }
    assert apart["classes whose names differ in case or blanks only"] == ["'dog', 'Dog '"]


def test_names_and_ids_that_are_taken_are_kept_apart(tmp_path: Path) -> None:
    first = _one_image(tmp_path / "a", [{"id": 1, "name": "dog"}])
    second = _one_image(tmp_path / "b", [{"id": 1, "name": "dog"}], 1)

    merge([first, second], tmp_path / "out")

    documents = _documents(tmp_path / "out")
    assert [
        [(image["id"], image["file_name"]) for image in document["images"]]
        for document in documents.values()
    ] == [[(1, "train.png"), (3, "b/train.png")], [(2, "val.png"), (4, "b/val.png")]]
    assert [
        [(one["id"], one["image_id"]) for one in document["annotations"]]
        for document in documents.values()
    ] == [[(1, 1), (3, 3)], [(2, 2), (4, 4)]]
    for name, source in (("train.png", first), ("b/train.png", second)):
        merged = (tmp_path / "out" / "images" / name).read_bytes()
        assert merged == (source / "images" / "train.png").read_bytes()


def test_the_same_picture_twice_is_kept_and_reported(tmp_path: Path) -> None:
    first = _one_image(tmp_path / "a", [{"id": 1, "name": "dog"}])
    second = _one_image(tmp_path / "b", [{"id": 1, "name": "dog"}], 1)
    for mine, theirs in (("train", "train"), ("val", "train")):
        picture = (first / "images" / f"{theirs}.png").read_bytes()
        (second / "images" / f"{mine}.png").write_bytes(picture)

    done = merge([first, second], tmp_path / "out")

    assert sum(len(document["images"]) for document in _documents(tmp_path / "out").values()) == 4
    notes = {note.kind: note.places for note in done.account.notes}
    assert SAME_SPLIT not in notes
    assert notes[BOTH_SPLITS] == ["train.png, b/train.png, b/val.png"]


def test_licenses_are_joined_and_images_point_to_theirs(tmp_path: Path) -> None:
    both = [{"id": 1, "name": "MIT"}, {"id": 2, "name": "CC0"}]
    first = _one_image(tmp_path / "a", [{"id": 1, "name": "x"}], licenses=both[:1], info={"a": 1})
    second = _one_image(
        tmp_path / "b", [{"id": 1, "name": "x"}], 1, licenses=[{"id": 1, "name": "CC0"}]
    )

    merge([first, second], tmp_path / "out")

    document = _documents(tmp_path / "out")["instance_train"]
    assert document["licenses"] == both
    assert document["info"] == {"a": 1}
    assert [image["license"] for image in document["images"]] == [1, 2]


def test_merging_keeps_every_annotation_of_drawn_datasets(tmp_path: Path) -> None:
    first = draw_coco(tmp_path / "a")
    second = draw_coco(tmp_path / "b", classes=("square", "star"), seed=5)

    done = merge([first, second], tmp_path / "out", link=True)

    report = check_dataset(locate_root(tmp_path / "out"))
    assert report.errors == ()
    assert report.statistics["train"].num_instances == 18
    assert sum(done.instances_per_class.values()) == 26
    assert list(done.instances_per_class) == ["disc", "square", "star"]
    json.dumps(done.to_json())


def test_an_output_inside_a_source_is_refused(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "a")

    with pytest.raises(OutputError, match="lies inside"):
        merge([root], root / "out")
