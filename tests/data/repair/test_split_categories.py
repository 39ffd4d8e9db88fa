from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.repair.broken import Document, after, build, changes, codes, plan, sound

NUT = {"id": 5, "name": "nut", "supercategory": "dry"}


def swapped() -> Document:
    """Return the sound document with the ids of its two categories exchanged throughout."""
    document = sound()
    for category in document["categories"]:
        category["id"] = 3 - category["id"]
    for annotation in document["annotations"]:
        annotation["category_id"] = 3 - annotation["category_id"]
    return document


def test_val_takes_the_ids_of_train(tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound(), swapped())

    found = plan(root)

    assert json.loads(found.train) == sound()
    assert json.loads(found.val) == sound()
    assert [change[:2] for change in changes(found)] == [
        ("categories[0].id", "category-id"),
        ("categories[1].id", "category-id"),
        ("annotations[0].category_id", "category-id"),
        ("annotations[1].category_id", "category-id"),
        ("annotations[2].category_id", "category-id"),
    ]
    (root / "annotations" / "instance_val.json").write_bytes(found.val)
    assert not any(code.startswith("category-split") for code in codes(root))


def test_what_one_split_declares_the_other_does_too(tmp_path: Path) -> None:
    train = after(lambda d: d["categories"].append(NUT))
    val = after(lambda d: d["categories"].append({"id": 4, "name": "pip"}))
    root = build(tmp_path / "set", train, val)

    found = plan(root)

    assert changes(found) == [
        ("categories[3]", "category-declared", None, {"id": 4, "name": "pip"}),
        ("categories[3]", "category-declared", None, NUT),
    ]
    assert json.loads(found.train)["categories"][2:] == [NUT, {"id": 4, "name": "pip"}]
    assert json.loads(found.val)["categories"][2:] == [{"id": 4, "name": "pip"}, NUT]
    for split, content in (("train", found.train), ("val", found.val)):
        (root / "annotations" / f"instance_{split}.json").write_bytes(content)
    assert not any(code.startswith("category-split") for code in codes(root))


@pytest.mark.parametrize(
    "val",
    [
        pytest.param(sound(), id="equal"),
        pytest.param(after(lambda d: d["categories"].reverse()), id="another order"),
        pytest.param(after(lambda d: d["categories"][0].update(name="Date")), id="another case"),
        pytest.param(after(lambda d: d["categories"][0].update(name="fig ")), id="a blank"),
        pytest.param(after(lambda d: d["categories"][0].update(name="nut")), id="another name"),
        pytest.param(
            after(lambda d: d["categories"].append({"id": 7, "name": "fig"})), id="a name twice"
        ),
        pytest.param(
            after(lambda d: d["categories"][1].update(id=7, name="fig")) | {"annotations": []},
            id="another id of a subset",
        ),
        pytest.param(after(lambda d: d.pop("categories")), id="no list"),
        pytest.param(after(lambda d: d["categories"].clear()), id="an empty list"),
    ],
)
def test_what_could_mean_two_things_is_left(val: Document, tmp_path: Path) -> None:
    train = after(lambda d: d["categories"].append(NUT)) if val["annotations"] == [] else sound()

    assert changes(plan(build(tmp_path / "set", train, val))) == []
