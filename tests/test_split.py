from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.errors import DatasetError, OutputError
from segtune.split import split_dataset
from tests.drawing import draw_coco
from tests.formats.labelled import read_json, ring, write_json

CLASSES = ("common", "usual", "rare")


def _drawn(root: Path, seed: int, num_images: int = 60) -> Path:
    """Write a COCO file of images `<series>_<number>.png` with random instances."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(num_images):
        name = f"s{number // 3:02d}_{number % 3}.png"
        (root / "images").mkdir(parents=True, exist_ok=True)
        # Every tenth is a copy of the one before it, in whatever series that is.
        content = f"picture {number - (number % 10 == 9)}"
        (root / "images" / name).write_text(content)
        images.append(
            {"id": 100 + number, "file_name": name, "height": 60, "width": 80, "license": 1}
        )
        for category, mean in ((1, 2.0), (5, 1.0), (9, 0.2)):
            for _ in range(rng.poisson(mean)):
                annotations.append(
                    {
                        "id": 1000 + len(annotations),
                        "image_id": 100 + number,
                        "category_id": category,
                        "segmentation": [ring(1, 1, 9, 9)],
                        "bbox": [1, 1, 8, 8],
                        "area": 64,
                        "iscrowd": 0,
                        "note": "kept",
                    }
                )
    document = {
        "info": {"year": 2026},
        "licenses": [{"id": 1, "name": "CC0"}],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": "thing"}
            for number, name in zip((1, 5, 9), CLASSES, strict=True)
        ],
    }
    write_json(root / "annotations.json", document)
    return root


def _split(root: Path, output: Path, **wishes: Any) -> dict[str, Any]:
    split_dataset(root / "annotations.json", output, images=root / "images", **wishes)
    return {
        path.stem.removeprefix("instance_"): read_json(path)
        for path in sorted((output / "annotations").iterdir())
    }


def _names(document: dict[str, Any]) -> set[str]:
    return {image["file_name"] for image in document["images"]}


@pytest.mark.parametrize("seed", range(6))
def test_properties_of_every_split(tmp_path: Path, seed: int) -> None:
    root = _drawn(tmp_path / "in", seed)
    source = read_json(root / "annotations.json")

    parts = _split(
        root, tmp_path / "out", shares={"val": 0.2, "test": 0.1}, group_by=r"^(s\d+)_", seed=seed
    )

    assert set(parts) == {"train", "val", "test"}
    # Every image is in one part, with all of its annotations, none changed.
    for key in ("images", "annotations"):
        joined = [entry for part in parts.values() for entry in part[key]]
        assert sorted(joined, key=lambda entry: entry["id"]) == source[key]
    for part in parts.values():
        ids = {image["id"] for image in part["images"]}
        assert all(one["image_id"] in ids for one in part["annotations"])
        assert [part[key] for key in ("info", "licenses", "categories")] == [
            source[key] for key in ("info", "licenses", "categories")
        ]
    # Groups and copies stay together.
    series = [{name.split("_")[0] for name in _names(part)} for part in parts.values()]
    assert not series[0] & series[1] | series[0] & series[2] | series[1] & series[2]
    contents = [
        {(tmp_path / "out" / "images" / name).read_text() for name in _names(part)}
        for part in parts.values()
    ]
    assert not contents[0] & contents[1] | contents[0] & contents[2] | contents[1] & contents[2]
    # Sizes are near the wish: a group is at most 4 series of 3 images, of 60.
    for name, share in (("train", 0.7), ("val", 0.2), ("test", 0.1)):
        assert abs(len(parts[name]["images"]) / 60 - share) <= 0.1


@pytest.mark.parametrize("seed", range(6))
def test_class_shares_are_nearer_to_the_wish_than_by_chance(tmp_path: Path, seed: int) -> None:
    root = _drawn(tmp_path / "in", seed)
    source = read_json(root / "annotations.json")

    parts = _split(root, tmp_path / "out", shares={"val": 0.2}, seed=seed)

    def gap(val_ids: set[int]) -> float:
        gaps = []
        for category in (1, 5, 9):
            own = [
                one["image_id"] for one in source["annotations"] if one["category_id"] == category
            ]
            gaps.append(abs(sum(image in val_ids for image in own) / len(own) - 0.2))
        return max(gaps)

    val_ids = {image["id"] for image in parts["val"]["images"]}
    generator = random.Random(seed)
    ids = [image["id"] for image in source["images"]]
    by_chance = [gap(set(generator.sample(ids, len(val_ids)))) for _ in range(200)]
    assert gap(val_ids) < np.quantile(by_chance, 0.1)


def test_the_order_of_the_lists_does_not_matter_and_the_seed_does(tmp_path: Path) -> None:
    root = _drawn(tmp_path / "in", 0)
    _split(root, tmp_path / "one", shares={"val": 0.2}, seed=3)
    document = read_json(root / "annotations.json")
    for key in ("images", "annotations", "categories"):
        random.Random(1).shuffle(document[key])
    write_json(root / "annotations.json", document)
    _split(root, tmp_path / "shuffled", shares={"val": 0.2}, seed=3)
    _split(root, tmp_path / "other", shares={"val": 0.2}, seed=4)

    one, shuffled, other = (
        (tmp_path / name / "annotations" / "instance_val.json").read_bytes()
        for name in ("one", "shuffled", "other")
    )
    assert one == shuffled != other


def test_folds_are_datasets_whose_validation_splits_make_up_the_whole(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in", train=8, val=4)

    done = split_dataset(root, tmp_path / "out", folds=3)

    held: list[str] = []
    for number in (1, 2, 3):
        fold = tmp_path / "out" / f"fold_{number}"
        report = check_dataset(locate_root(fold))
        assert report.errors == ()
        train, val = (
            _names(read_json(fold / "annotations" / f"instance_{split}.json"))
            for split in ("train", "val")
        )
        assert not train & val
        assert len(train | val) == 12
        held += val
    assert len(held) == len(set(held)) == 12
    assert [part.num_images for part in done.parts] == [4, 4, 4]
    first, second = (
        tmp_path / "out" / fold / "images" / "train_000.png" for fold in ("fold_1", "fold_2")
    )
    assert first.samefile(second)  # takes room once


def test_splits_that_use_the_same_ids_are_joined_and_it_is_said(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in")  # ids start from 1 in both files

    done = split_dataset(root, tmp_path / "out", shares={"val": 0.34})

    assert done.renumbered
    documents = [
        read_json(tmp_path / "out" / "annotations" / f"instance_{split}.json")
        for split in ("train", "val")
    ]
    for key, count in (("images", 9), ("annotations", 13)):
        assert len({entry["id"] for document in documents for entry in document[key]}) == count
    assert check_dataset(locate_root(tmp_path / "out")).errors == ()


def test_the_summary_tells_how_far_from_the_wish_and_what_is_missing(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in", train=6, val=1, classes=("disc", "square", "third"))

    done = split_dataset(root, tmp_path / "out", shares={"val": 0.3})

    summary = json.loads(json.dumps(done.to_json()))
    counts = {part["name"]: part for part in summary["parts"]}
    assert counts["train"]["images"] + counts["val"]["images"] == 7
    assert summary["deviations"]["images"]["val"] == pytest.approx(
        counts["val"]["images"] / 7 - 0.3
    )
    lacking = {
        name: [part for part in ("train", "val") if not counts[part]["instances_per_class"][name]]
        for name in ("disc", "square", "third")
    }
    assert summary["missing_classes"] == {name: parts for name, parts in lacking.items() if parts}


def test_names_that_the_pattern_does_not_match_are_counted(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in")

    done = split_dataset(root, tmp_path / "out", shares={"val": 0.3}, group_by=r"^(train)_")

    # Two of the nine images lie in a folder, and three are called val_...
    matched = sum(name.startswith("train_") for name in _all_names(root))
    assert done.num_unmatched == 9 - matched
    assert done.num_groups == 1 + done.num_unmatched


def _all_names(root: Path) -> list[str]:
    return [
        image["file_name"]
        for path in (root / "annotations").iterdir()
        for image in read_json(path)["images"]
    ]


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({}, "both asked for, or neither"),
        ({"shares": {"val": 0.2}, "folds": 3}, "both asked for, or neither"),
        ({"shares": {"val": 0.0}}, "leave nothing for training, or nothing else"),
        ({"shares": {"val": 0.7, "test": 0.3}}, "leave nothing for training"),
        ({"shares": {"val": -0.1}}, "leave nothing for training"),
        ({"folds": 1}, "one fold is no split"),
        ({"folds": 10}, "9 images in 9 groups do not fill 10 parts"),
        ({"shares": {"val": 0.2}, "group_by": "("}, "no regular expression"),
        ({"shares": {"val": 0.2}, "group_by": "abc"}, "0 groups in parentheses"),
        ({"shares": {"val": 0.2}, "group_by": "(.)"}, "do not fill 2 parts"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path: Path, wishes: dict[str, Any], problem: str) -> None:
    root = draw_coco(tmp_path / "in")
    if wishes.get("group_by") == "(.)":
        wishes = wishes | {"group_by": "()"}

    with pytest.raises(DatasetError, match=problem):
        split_dataset(root, tmp_path / "out", **wishes)
    assert not (tmp_path / "out").exists()


def test_missing_images_and_taken_folders_are_errors(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in")
    with pytest.raises(OutputError, match="lies inside"):
        split_dataset(root, root / "out", shares={"val": 0.2})
    with pytest.raises(OutputError, match="exists already"):
        split_dataset(root, tmp_path, shares={"val": 0.2})

    (root / "images" / "train_000.png").unlink()
    with pytest.raises(DatasetError, match="1 image is missing"):
        split_dataset(root, tmp_path / "out", shares={"val": 0.2})


def test_splits_that_disagree_on_categories_are_refused(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "in")
    file = root / "annotations" / "instance_val.json"
    document = read_json(file)
    document["categories"][0]["name"] = "disk"
    write_json(file, document)

    with pytest.raises(DatasetError, match="disagree on their categories"):
        split_dataset(root, tmp_path / "out", shares={"val": 0.2})
