from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segtune import masks
from segtune.errors import DependencyError, OutputError, RecipeError
from segtune.images import read_image, write_image
from segtune.instances import Instances
from segtune.result import Result
from tests.finding import BLUE, CATEGORIES, RED, ColourFinder, picture

IMAGE = picture(((10, 20, 30, 40), RED), ((50, 5, 60, 15), BLUE))


@pytest.fixture
def result() -> Result:
    """Blue from the top, score 0.895, and red, score 0.88."""
    [instances] = ColourFinder().predict([IMAGE])
    return Result(IMAGE, instances, CATEGORIES, input_path="shots/a.jpg", name="a")


def test_boxes_have_the_keys_of_paddlex(result: Result) -> None:
    assert list(result) == ["input_path", "page_index", "input_img", "boxes", "masks"]
    assert [list(box) for box in result["boxes"]] == [
        ["cls_id", "label", "score", "coordinate"]
    ] * 2
    blue, red = result["boxes"]
    assert (blue["cls_id"], blue["label"], blue["coordinate"]) == (1, "蓝", [50, 5, 60, 15])
    assert (red["cls_id"], red["label"], red["coordinate"]) == (0, "red", [10, 20, 30, 40])
    assert blue["score"] == pytest.approx(0.895)
    assert (result["input_path"], result["page_index"]) == ("shots/a.jpg", None)
    np.testing.assert_array_equal(result["input_img"][25, 15], (0, 0, 255))  # BGR
    with pytest.raises(KeyError):
        result["nothing"]


@pytest.mark.parametrize(
    ("form", "shape"), [("cropped", (10, 10)), ("full", (60, 80))], ids=["cropped", "full"]
)
def test_masks_come_in_the_form_that_is_asked_for(
    result: Result, form: str, shape: tuple[int, int]
) -> None:
    blue = result.masks(form)[0]  # type: ignore[arg-type]

    assert (blue.shape, blue.sum(), blue.max()) == (shape, 100, 1)


def test_rle_masks_are_those_of_the_whole_picture(result: Result) -> None:
    assert result.masks("rle") == [dict(rle) for rle in result.instances.rles]
    with pytest.raises(RecipeError, match="'png' is not a form"):
        result.masks("png")  # type: ignore[arg-type]


def test_a_crop_is_rounded_half_to_even_as_paddlex_rounds(result: Result) -> None:
    found = result.instances
    boxes = np.array([[9.5, 19.5, 30.5, 40.5]], np.float32)
    moved = Instances(boxes, found.scores[1:], found.labels[1:], found.rles[1:], found.size_hw)

    [crop] = Result(IMAGE, moved, CATEGORIES)["masks"]

    assert crop.shape == (40 - 20, 30 - 10)


def test_json_and_text_are_those_of_paddlex(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = json.loads(json.dumps(result.json))["res"]
    assert list(plain) == ["input_path", "page_index", "boxes", "masks"]
    assert np.shape(plain["masks"][0]) == (10, 10)

    result.print()
    line = capsys.readouterr().out
    assert line.startswith("{'res': {'input_path': 'shots/a.jpg'")
    assert "'masks': '...'" in line
    assert line.strip() == result.str["res"]
    for words in ({"json_format": True}, {"format_json": True}):
        result.print(**words)
        assert json.loads(capsys.readouterr().out)["res"]["boxes"][1]["label"] == "red"

    path = result.save_to_json(tmp_path / "deep")
    assert path == tmp_path / "deep" / "a_res.json"
    assert json.loads(path.read_text("utf-8")) == plain
    small = result.save_to_json(tmp_path / "b.json", indent=None, mask_form="rle")
    assert json.loads(small.read_text("utf-8"))["masks"] == result.masks("rle")


@pytest.mark.filterwarnings("ignore::segtune.fonts.MissingGlyphs")
def test_the_overlay_keeps_red_red(result: Result, tmp_path: Path) -> None:
    path = result.save_to_img(tmp_path)

    assert path == tmp_path / "a_res.jpg"
    assert result.save_to_img(tmp_path / "x.png") == tmp_path / "x.png"
    red, _, blue = read_image(tmp_path / "x.png")[30, 20].astype(int)
    assert red > blue + 50
    assert result.img["res"].size == (80, 60)
    assert [p.name for p in result.save_all(tmp_path / "all")] == ["a_res.json", "a_res.jpg"]


def test_a_result_never_replaces_its_picture(tmp_path: Path, result: Result) -> None:
    write_image(tmp_path / "a.png", IMAGE)
    own = Result(IMAGE, result.instances, CATEGORIES, input_path=str(tmp_path / "a.png"), name="a")

    with pytest.raises(OutputError, match="would replace the picture"):
        own.save_to_img(tmp_path / "a.png")


def test_nothing_found_is_empty_in_every_form() -> None:
    result = Result(IMAGE, Instances.none((60, 80)), CATEGORIES)

    assert result.json["res"]["boxes"] == result.json["res"]["masks"] == []
    assert result.to_coco() == result.to_labelme()["shapes"] == []
    np.testing.assert_array_equal(result.draw(), IMAGE)


def test_coco_records_name_image_and_category(result: Result) -> None:
    blue, red = result.to_coco(7)

    assert (blue["image_id"], blue["category_id"], blue["bbox"]) == (7, 7, [50, 5, 10, 10])
    assert (red["category_id"], red["bbox"]) == (3, [10, 20, 20, 20])


def test_labelme_gets_outlines_along_the_edges_of_pixels(result: Result) -> None:
    document = result.to_labelme()

    assert (document["imageHeight"], document["imageWidth"]) == (60, 80)
    assert document["imagePath"] == "a.jpg"
    blue = document["shapes"][0]
    assert (blue["label"], blue["shape_type"], blue["group_id"]) == ("蓝", "polygon", None)
    assert sorted(blue["points"]) == [[50, 5], [50, 15], [60, 5], [60, 15]]
    ring = [value for point in blue["points"] for value in point]
    assert masks.to_rle([ring], (60, 80)) == result.instances.rles[0]


def test_labelme_keeps_parts_together_and_holes_open() -> None:
    bitmaps = np.zeros((2, 20, 30), bool)
    bitmaps[0, 2:5, 2:5] = bitmaps[0, 10:15, 2:5] = True
    bitmaps[1, 2:12, 10:20] = True
    bitmaps[1, 4:8, 14:16] = False
    found = Instances(
        np.array([[2, 2, 5, 15], [10, 2, 20, 12]], np.float32),
        np.array([0.9, 0.8], np.float32),
        np.array([0, 1]),
        masks.encode_all(bitmaps),
        (20, 30),
    )

    shapes = Result(np.zeros((20, 30, 3), np.uint8), found, CATEGORIES).to_labelme()["shapes"]

    kinds = [(shape["shape_type"], shape["group_id"]) for shape in shapes]
    assert kinds == [("polygon", 0), ("polygon", 0), ("mask", None)]
    assert shapes[2]["points"] == [[10, 2], [19, 11]]


def test_supervision_gets_detections(result: Result) -> None:
    supervision = pytest.importorskip("supervision")

    found = result.to_supervision()

    assert isinstance(found, supervision.Detections)
    assert found.class_id.tolist() == [1, 0]
    assert found.data["class_name"].tolist() == ["蓝", "red"]
    assert found.mask.shape == (2, 60, 80)


def test_supervision_that_is_absent_is_named(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)

    with pytest.raises(DependencyError, match="supervision is not installed"):
        result.to_supervision()
