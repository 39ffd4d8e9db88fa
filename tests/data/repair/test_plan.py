from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from segtune.data.repair.change import REPAIRS
from tests.data.mutation import mutate
from tests.data.repair.broken import (
    HEIGHT,
    REMOVE,
    SQUARE,
    STRIP,
    WIDTH,
    Document,
    after,
    altered,
    build,
    changes,
    codes,
    plan,
    sound,
    together,
    train_of,
)

NAN = float("nan")
RLE = sound()["annotations"][2]["segmentation"]
FIRST = sound()["annotations"][0]


def name(file_name: str) -> Document:
    return altered("images", 0, file_name=file_name)


def named(before: str, now: str = "a.png") -> list[tuple[Any, ...]]:
    return [("images[0].file_name", "file-name", before, now)]


def first(**values: Any) -> Document:
    return altered("annotations", 0, **values)


def boxed(before: Any) -> list[tuple[Any, ...]]:
    return [("annotations[0].bbox", "box", before, [10.0, 5.0, 20.0, 20.0])]


def sized(before: Any) -> list[tuple[Any, ...]]:
    return [("annotations[0].area", "area", before, 400)]


def once_more(section: str, index: int, **values: Any) -> Document:
    return after(lambda d: d[section].append({**d[section][index], **values}))


# What is wrong, and what is changed of it.
DEFECTS: dict[str, tuple[Document, list[tuple[Any, ...]]]] = {
    "image id as text": (
        together(
            ("images", 0, {"id": "0001"}),
            ("annotations", 0, {"image_id": "0001"}),
            ("annotations", 1, {"image_id": "1.0"}),
        ),
        [
            ("images[0].id", "number", "0001", 1),
            ("annotations[0].image_id", "number", "0001", 1),
            ("annotations[1].image_id", "number", "1.0", 1),
        ],
    ),
    "category ids as floats": (
        together(("categories", 1, {"id": 2.0}), ("annotations", 1, {"category_id": 2.0})),
        [
            ("categories[1].id", "number", 2.0, 2),
            ("annotations[1].category_id", "number", 2.0, 2),
        ],
    ),
    "annotation id as text": (first(id="1"), [("annotations[0].id", "number", "1", 1)]),
    "size as text": (
        altered("images", 0, width="60", height=40.0),
        [
            ("images[0].width", "number", "60", 60),
            ("images[0].height", "number", 40.0, 40),
        ],
    ),
    "back-slashes": (
        altered("images", 1, file_name="sub\\b.png"),
        [("images[1].file_name", "file-name", "sub\\b.png", "sub/b.png")],
    ),
    "dot and slash": (name("./a.png"), named("./a.png")),
    "folder and back": (name("sub/../a.png"), named("sub/../a.png")),
    "doubled folder": (name("images/a.png"), named("images/a.png")),
    "absolute elsewhere": (name("/home/bo/set/images/a.png"), named("/home/bo/set/images/a.png")),
    "drive": (name("C:\\set\\images\\a.png"), named("C:\\set\\images\\a.png")),
    "other case": (
        altered("images", 1, file_name="Sub/B.PNG"),
        [("images[1].file_name", "file-name", "Sub/B.PNG", "sub/b.png")],
    ),
    "no size": (
        altered("images", 0, width=REMOVE, height=None),
        [
            ("images[0].height", "image-size", None, 40),
            ("images[0].width", "image-size", None, 60),
        ],
    ),
    "a size that is none": (
        altered("images", 0, width=-1),
        [("images[0].width", "image-size", -1, 60)],
    ),
    "a size that the masks leave": (
        altered("images", 0, width=40),
        [("images[0].width", "image-size", 40, 60)],
    ),
    "a size that the RLE denies": (
        altered("images", 1, height=HEIGHT * 2),
        [("images[1].height", "image-size", 80, 40)],
    ),
    "another size without masks": (
        after(lambda d: (d["images"][1].update(width=99), d["annotations"].pop())),
        [("images[1].width", "image-size", 99, 60)],
    ),
    "the same image entry": (
        once_more("images", 0),
        [("images[2]", "image-repeated", sound()["images"][0], None)],
    ),
    "a second entry of a file": (
        after(
            lambda d: (
                d["images"].append({**d["images"][0], "id": 7}),
                d["annotations"][1].update(image_id=7),
            )
        ),
        [
            ("images[2]", "image-joined", {**sound()["images"][0], "id": 7}, None),
            ("annotations[1].image_id", "image-moved", 7, 1),
        ],
    ),
    "the same category": (
        once_more("categories", 0),
        [("categories[2]", "category-repeated", {"id": 1, "name": "date"}, None)],
    ),
    "no iscrowd": (first(iscrowd=REMOVE), [("annotations[0].iscrowd", "iscrowd", None, 0)]),
    "iscrowd as is_crowd": (
        first(iscrowd=REMOVE, is_crowd=1),
        [("annotations[0].iscrowd", "iscrowd", None, 1)],
    ),
    "iscrowd as false": (first(iscrowd=False), [("annotations[0].iscrowd", "iscrowd", False, 0)]),
    "iscrowd as text": (first(iscrowd="1"), [("annotations[0].iscrowd", "iscrowd", "1", 1)]),
    "no area": (first(area=REMOVE), sized(None)),
    "area of zero": (first(area=0), sized(0)),
    "area below zero": (first(area=-400.0), sized(-400.0)),
    "area that is no number": (first(area=NAN), sized("nan")),
    "area as text": (first(area="400"), sized("400")),
    "area of 400 digits": (first(area=10**400), sized(10**400)),
    "area far off": (first(area=481), sized(481)),
    "no box": (first(bbox=REMOVE), boxed(None)),
    "box of three": (first(bbox=[10, 5, 20]), boxed([10, 5, 20])),
    "box that is no number": (first(bbox=[10, 5, NAN, 20]), boxed([10, 5, "nan", 20])),
    "box without width": (first(bbox=[10, 5, 0, 20]), boxed([10, 5, 0, 20])),
    "box of negative width": (first(bbox=[30, 5, -20, 20]), boxed([30, 5, -20, 20])),
    "box outside": (first(bbox=[70, 5, 20, 20]), boxed([70, 5, 20, 20])),
    "box of corners": (first(bbox=[10, 5, 30, 25]), boxed([10, 5, 30, 25])),
    "box too small": (first(bbox=[10, 5, 16, 20]), boxed([10, 5, 16, 20])),
    "box beyond the edge": (
        altered("annotations", 1, bbox=[40, 5, 5, 36.5], segmentation=[[*STRIP[:5], 40, 40, 40]]),
        [
            ("annotations[1].bbox", "box-edge", [40, 5, 5, 36.5], [40.0, 5.0, 5.0, 35.0]),
        ],
    ),
    "a ring of two points": (
        first(segmentation=[[1, 1, 2, 2], SQUARE]),
        [("annotations[0].segmentation[0]", "ring", [1, 1, 2, 2], None)],
    ),
    "a ring of nothing": (
        first(segmentation=[SQUARE, []]),
        [("annotations[0].segmentation[1]", "ring", [], None)],
    ),
    "a flat ring": (
        first(segmentation=[SQUARE, [1, 1, 5, 5, 9, 9]]),
        [("annotations[0].segmentation[1]", "ring", [1, 1, 5, 5, 9, 9], None)],
    ),
    "the same annotation": (
        once_more("annotations", 0, id=9),
        [
            (
                "annotations[3]",
                "annotation-repeated",
                {key: value for key, value in FIRST.items() if key != "segmentation"} | {"id": 9},
                None,
            )
        ],
    ),
    "no annotation id": (first(id=REMOVE), [("annotations[0].id", "annotation-id", None, 4)]),
    "an annotation id that is taken": (
        altered("annotations", 2, id=1),
        [("annotations[2].id", "annotation-id", 1, 3)],
    ),
    "an annotation id that is a word": (
        first(id="first"),
        [("annotations[0].id", "annotation-id", "first", 4)],
    ),
}
# Near to a defect, but right, or not to be told what is right.
TWINS: dict[str, Document] = {
    "sound": sound(),
    "ids that differ in writing alone": after(
        lambda d: (d["images"][0].update(id="2"), d["annotations"][0].update(image_id="2"))
    ),
    "an id with a fraction": together(
        ("images", 0, {"id": 1.5}), ("annotations", 0, {"image_id": 1.5})
    ),
    "an id that is true": altered("images", 0, id=True),
    "a missing file": name("c.png"),
    "a file outside": name("../a.png"),
    "an absolute path elsewhere": name("/home/bo/a.png"),
    "a surrogate half": name("\ud800/a.png"),
    "an image twice as large": altered("images", 0, width=WIDTH * 2, height=HEIGHT * 2),
    "a size that an outline leaves by little": together(
        ("images", 0, {"width": 44}), ("annotations", 0, {"segmentation": [SQUARE]})
    ),
    "two images of one id": once_more("images", 0, file_name="sub/b.png"),
    "a second entry of another size": after(
        lambda d: (
            d["images"][0].update(file_name="absent.png"),
            d["images"].append({**d["images"][0], "id": 7, "width": 99}),
        )
    ),
    "two categories of one id": once_more("categories", 0, name="nut"),
    "iscrowd that contradicts": first(iscrowd=2),
    "is_crowd that contradicts": first(iscrowd=REMOVE, is_crowd="perhaps"),
    "an area of the ring": first(area=441),  # 21 x 21: both edges counted
    "an area of a mask that goes on": altered(
        "annotations",
        1,
        segmentation=[[40, 5, 45, 5, 45, 60, 40, 60]],
        bbox=[40, 5, 5, 35],
        area=275,
    ),
    "a box two pixels off": first(bbox=[8, 3, 24, 24]),
    "a box larger than its mask": first(bbox=[5, 5, 28, 20]),
    "a box of another place": first(bbox=[0, 0, 9, 9], area=81),
    "a box of another place with the area of the mask": first(bbox=[0, 0, 9, 9]),
    "corners that are right as width and height": together(
        ("annotations", 0, {"segmentation": [[0, 0, 20, 0, 20, 20, 0, 20]], "bbox": [0, 0, 20, 20]})
    ),
    "a ring of two points alone": first(segmentation=[[1, 1, 2, 2]], area=0, bbox=[1, 1, 0, 0]),
    "a small ring": first(segmentation=[SQUARE, [1, 1, 3, 1, 3, 3]], bbox=[1, 1, 29, 24]),
    "a figure eight": first(segmentation=[SQUARE, [1, 1, 9, 9, 9, 1, 1, 9]], bbox=[1, 1, 29, 24]),
    "NaN in a polygon": first(segmentation=[[NAN, *SQUARE[1:]]]),
    "a polygon without end": first(segmentation=[SQUARE, [0, 0, 60, 0] * 30_000], area=9),
    "no mask": first(segmentation=REMOVE),
    "two without a mask": after(
        lambda d: (
            d["annotations"][0].update(segmentation=[]),
            d["annotations"].append({**d["annotations"][0], "id": 9}),
        )
    ),
    "the same mask of another class": once_more("annotations", 0, id=9, category_id=2),
    "the same mask as a crowd": once_more("annotations", 0, id=9, iscrowd=1),
    "a negative annotation id": first(id=-5),
}


@pytest.mark.parametrize("case", DEFECTS)
def test_a_defect_is_repaired_and_listed(case: str, tmp_path: Path) -> None:
    document, expected = DEFECTS[case]
    root = build(tmp_path / "set", document)

    found = plan(root)

    assert changes(found) == expected
    write(root, found.train)
    # What says of itself that it is a crowd stays one: a date less to learn from.
    usual = codes(build(tmp_path / "sound", sound())) | {"crowd-polygon", "category-unused"}
    assert codes(root) <= usual
    again = plan(root)
    assert (again.changes, again.train, again.val) == ((), found.train, found.val)


@pytest.mark.parametrize("case", TWINS)
def test_nothing_is_repaired_by_a_guess(case: str, tmp_path: Path) -> None:
    root = build(tmp_path / "set", TWINS[case])

    found = plan(root)

    assert changes(found) == []
    # As text, since NaN is unequal to itself.
    assert json.dumps(train_of(found)) == json.dumps(TWINS[case])


def test_every_repair_is_tested_here_or_beside() -> None:
    beside = {"encoding", "category-declared", "category-id", "image-size-exif", "exif-orientation"}

    assert {change[1] for _, expected in DEFECTS.values() for change in expected} | beside == set(
        REPAIRS
    )


def test_an_absolute_path_into_the_folder_becomes_relative(tmp_path: Path) -> None:
    root = tmp_path / "set"
    inside = str(root / "images" / "sub" / "b.png")
    build(root, altered("images", 1, file_name=inside))

    assert changes(plan(root)) == [("images[1].file_name", "file-name", inside, "sub/b.png")]


def test_accents_are_written_as_on_disk(tmp_path: Path) -> None:
    root = build(tmp_path / "set", altered("images", 0, file_name="Äpfel.png"))
    on_disk = "A\u0308pfel.png"
    shutil.move(root / "images" / "a.png", root / "images" / on_disk)

    found = plan(root)

    assert changes(found)[:1] == [("images[0].file_name", "file-name", "Äpfel.png", on_disk)]
    assert on_disk in found.images


def test_two_files_that_differ_in_case_are_no_answer(tmp_path: Path) -> None:
    root = build(tmp_path / "set", name("A.PNG"))
    shutil.copy(root / "images" / "a.png", root / "images" / "A.png")

    assert changes(plan(root)) == []


def test_a_size_follows_one_repair_after_the_other(tmp_path: Path) -> None:
    document = together(
        ("images", 0, {"file_name": "images\\A.png", "width": "0", "id": "1"}),
        ("annotations", 0, {"image_id": 1.0, "area": None, "bbox": None, "iscrowd": None}),
    )
    root = build(tmp_path / "set", document)

    found = plan(root)

    assert train_of(found)["images"] == sound()["images"]
    assert train_of(found)["annotations"] == sound()["annotations"]
    assert len(found.changes) == 8


def test_pointers_are_those_of_the_file_as_it_was(tmp_path: Path) -> None:
    document = after(lambda d: d["annotations"].insert(0, {**FIRST, "id": 9}))
    document["annotations"].insert(0, {**FIRST, "id": 8})
    document["annotations"][3]["area"] = None
    root = build(tmp_path / "set", document)

    pointers = [change.pointer for change in plan(root).changes]

    assert pointers == ["annotations[3].area", "annotations[1]", "annotations[2]"]


def test_keys_order_and_other_lists_are_kept(tmp_path: Path) -> None:
    document = first(area=None)
    root = build(tmp_path / "set", {"scenes": [3], **document})

    found = plan(root)

    text = found.train.decode("utf-8")
    assert text.startswith('{"scenes":[3],"info":{"description":"Äpfel"},"licenses":[],"images":[')
    assert '"iscrowd":0,"attributes":{"ripe":true}}' in text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_an_encoding_with_a_mark_becomes_utf_8(encoding: str, tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    write(root, json.dumps(sound()).encode(encoding))

    found = plan(root)

    expected = [] if encoding == "utf-8-sig" else [("", "encoding", encoding.upper(), "UTF-8")]
    assert changes(found) == expected
    assert train_of(found) == sound()


def test_a_surrogate_half_stays_as_it_was(tmp_path: Path) -> None:
    document = sound()
    document["info"]["description"] = "\ud83d"
    root = build(tmp_path / "set", document)

    assert train_of(plan(root)) == document


def test_empty_lists_and_missing_ones_are_left(tmp_path: Path) -> None:
    root = build(tmp_path / "set", {"images": [], "annotations": None}, {"images": [3, None]})

    found = plan(root)

    assert changes(found) == []
    assert found.images == ()
    assert json.loads(found.val) == {"images": [3, None]}


@pytest.mark.parametrize("share", range(4))
def test_repairing_twice_is_repairing_once(share: int, tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    num_repaired = 0
    for seed in range(share * 100, share * 100 + 100):
        content = mutate(sound(), seed)
        try:
            json.loads(content.decode("utf-8"))["images"]
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            continue
        write(root, content)
        try:
            once = plan(root)
        except RecursionError:
            continue
        write(root, once.train)
        (root / "annotations" / "instance_val.json").write_bytes(once.val)
        again = plan(root)
        build(root, sound())

        num_repaired += bool(once.changes)
        assert (again.changes, again.train, again.val) == ((), once.train, once.val), seed
    assert num_repaired > 10


def write(root: Path, train: bytes) -> None:
    (root / "annotations" / "instance_train.json").write_bytes(train)
