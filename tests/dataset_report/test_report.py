"""Tests of the whole report: its folder, its page and PaddleX's result."""

from __future__ import annotations

import base64
import itertools
import json
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from segtune.check_dataset import DatasetReport, check_dataset
from segtune.data.layout import SplitFiles, locate_root
from segtune.dataset_report.evidence import MOST_PICTURES
from segtune.dataset_report.folder import PAGE_FILE, refuse_taken, write_report
from segtune.errors import OutputError
from tests.data.mutation import mutate
from tests.dataset_report.defects import MARKUP, draw_defective
from tests.drawing import draw_coco, write_json

NOW = datetime(2025, 3, 4, 5, 6)


class Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report_on(root: Path, folder: Path) -> tuple[DatasetReport, SplitFiles, Page]:
    files = locate_root(root)
    report = check_dataset(files)
    page = write_report(report, files, folder, now=NOW)
    assert page == folder / PAGE_FILE
    return report, files, Page(page)


@pytest.fixture(scope="module")
def defective(tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetReport, Path, Page]:
    place = tmp_path_factory.mktemp("defective")
    report, _, page = report_on(draw_defective(place / "set"), place / "report")
    return report, place / "report", page


def test_a_sound_dataset_can_be_trained_on(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=24, val=6)
    report, _, page = report_on(root, tmp_path / "report")

    assert "Can be trained on No rule is broken." in page.text
    assert report.fingerprint is not None
    assert report.fingerprint in page.text
    assert "Images 24 6" in page.text
    assert "of them without instances 4 1" in page.text
    assert "Instances 36 9" in page.text
    assert "of them crowd regions 4 1" in page.text
    assert "2025-03-04 05:06" in page.text


def test_every_finding_has_its_message_remedy_and_places(
    defective: tuple[DatasetReport, Path, Page],
) -> None:
    report, _, page = defective

    assert len({finding.code for finding in report.findings}) >= 20
    for finding in report.findings:
        message = finding.message[0].upper() + finding.message[1:]
        for part in (message, finding.code, finding.remedy, *finding.places):
            assert " ".join(part.split()) in page.text
    total = sum(finding.count for finding in report.errors)
    assert f"{total} errors This dataset cannot be trained on" in page.text


def test_what_cannot_be_drawn_says_why(defective: tuple[DatasetReport, Path, Page]) -> None:
    _, _, page = defective

    for reason in (
        "its file_name leads out of the image folder",
        "there is no such image file",
        "train_006.png is empty",
        "train_005.png is cut short",
        "its image is not listed",
        "it has no mask",
        "its box cannot be drawn",
    ):
        assert reason in page.text


def test_pictures_are_inline_decodable_and_described(
    defective: tuple[DatasetReport, Path, Page],
) -> None:
    _, _, page = defective
    images = page.all("img")

    assert len(images) > 20
    for image in images:
        kind, _, encoded = image["src"].partition(",")
        assert kind == "data:image/webp;base64"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), 1)
        assert decoded is not None
        assert image["alt"].strip()


def test_names_in_a_dataset_are_text_and_nothing_else(
    defective: tuple[DatasetReport, Path, Page],
) -> None:
    _, folder, page = defective
    content = (folder / PAGE_FILE).read_text(encoding="utf-8")

    assert MARKUP in page.text
    assert "<script>document.title" not in content
    assert len(page.all("script")) == 1
    assert not any(attribute.startswith("on") for _, each in page.elements for attribute in each)
    assert all(image["src"].startswith("data:") for image in page.all("img"))


def test_nothing_is_loaded_from_anywhere(defective: tuple[DatasetReport, Path, Page]) -> None:
    _, _, page = defective

    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert re.match(r"(data:image/webp;|#|$)", attributes.get(name, ""))
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_many_faulty_places_have_a_few_pictures_and_the_count(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=30, val=2)
    file = root / "annotations" / "instance_train.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    for annotation in document["annotations"]:
        annotation["category_id"] = 4711
    write_json(file, document)

    report, _, page = report_on(root, tmp_path / "report")

    number = len(document["annotations"])
    assert report.errors[0].count == number
    assert f"{MOST_PICTURES} of {number} shown." in page.text
    assert f"10 places of {number}" in page.text
    captioned = [each for each in page.all("img") if each["alt"].startswith("Unknown class")]
    assert len(captioned) == MOST_PICTURES


def test_a_page_on_many_classes_has_all_their_counts_and_some_of_their_pictures(
    tmp_path: Path,
) -> None:
    names = [f"class {number}" for number in range(300)]

    _, _, page = report_on(
        draw_coco(tmp_path / "set", train=30, val=8, classes=names), tmp_path / "report"
    )

    assert all(name in page.text for name in names)
    assert "270 more classes" in page.text
    assert "24 of 300 classes are shown" in page.text
    assert len(page.all("img")) <= 48


def test_an_empty_dataset_has_a_report(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_json(
            tmp_path / "set" / "annotations" / f"instance_{split}.json",
            {"images": [], "annotations": [], "categories": []},
        )
    (tmp_path / "set" / "images").mkdir()

    _, _, page = report_on(tmp_path / "set", tmp_path / "report")

    assert "6 errors" in page.text
    assert page.all("img") == []
    assert "There is no instance to measure." in page.text


def test_headings_go_down_one_level_at_a_time(defective: tuple[DatasetReport, Path, Page]) -> None:
    _, _, page = defective
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_references_within_the_page_lead_somewhere(
    defective: tuple[DatasetReport, Path, Page],
) -> None:
    _, _, page = defective
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    targets = {link["href"][1:] for link in page.all("a")}
    labels = {each["aria-labelledby"] for _, each in page.elements if "aria-labelledby" in each}

    assert len(ids) == len(set(ids))
    assert targets | labels <= set(ids)


def test_damaged_files_have_a_report_too(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=3, val=2)
    file = root / "annotations" / "instance_train.json"
    sound = json.loads(file.read_text(encoding="utf-8"))

    for seed in range(6):
        file.write_bytes(mutate(sound, seed))
        report, _, page = report_on(root, tmp_path / "report")
        expected = "Can be trained on" if report.verdict == "pass" else "cannot be trained on"
        assert expected in page.text


def read_result(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "check_dataset_result.json").read_text("utf-8"))
    return content


def test_paddlexs_result_has_true_numbers_and_files_that_exist(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=12, val=3)

    report_on(root, tmp_path / "report")
    result = read_result(tmp_path / "report")

    attributes = result["attributes"]
    assert (result["done_flag"], result["check_pass"]) == (True, True)
    assert (attributes["num_classes"], attributes["train_samples"]) == (2, 12)
    assert attributes["val_samples"] == 3
    assert (result["dataset_path"], result["show_type"]) == ("set", "image")
    assert result["dataset_type"] == "COCOInstSegDataset"
    paths = attributes["train_sample_paths"] + attributes["val_sample_paths"]
    assert (len(attributes["train_sample_paths"]), len(attributes["val_sample_paths"])) == (10, 3)
    assert len(set(paths)) == 13
    for path in (*paths, result["analysis"]["histogram"]):
        assert path.startswith("check_dataset/")
        with Image.open(tmp_path / "report" / path) as picture:
            assert min(picture.size) > 90


def test_paddlexs_result_of_a_faulty_dataset_says_what_is_wrong(
    defective: tuple[DatasetReport, Path, Page],
) -> None:
    _, folder, _ = defective

    result = read_result(folder)

    assert (result["done_flag"], result["check_pass"]) == (False, False)
    assert result["err_type"] == "DatasetError"
    assert "21 errors, first: a file_name is an absolute path" in result["err_msg"]


def test_an_earlier_report_and_an_empty_folder_give_way(tiny_coco: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()

    report_on(tiny_coco, tmp_path / "report")
    first = sorted(path.name for path in (tmp_path / "report").rglob("*"))
    report_on(tiny_coco, tmp_path / "report")

    assert sorted(path.name for path in (tmp_path / "report").rglob("*")) == first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "foreign",
    ["notes.txt", "report.html", "check_dataset/demo_img/mine.png", "check_dataset_result.json"],
)
def test_a_folder_with_anything_else_is_refused_and_left_as_it_was(
    tiny_coco: Path, tmp_path: Path, foreign: str
) -> None:
    mine = tmp_path / "report" / foreign
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    with pytest.raises(OutputError, match="not a report of ours"):
        report_on(tiny_coco, tmp_path / "report")

    assert mine.read_text() == "mine"


def test_a_file_is_no_place_for_a_report(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("mine")

    with pytest.raises(OutputError):
        refuse_taken(tmp_path / "report")


def test_images_outside_the_folder_are_not_shown(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=2, val=2)
    Image.new("RGB", (128, 96), (9, 9, 9)).save(tmp_path / "secret.png")
    file = root / "annotations" / "instance_train.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    for image in document["images"]:
        image["file_name"] = "../../secret.png"
    write_json(file, document)

    _, _, page = report_on(root, tmp_path / "report")

    assert all("secret" not in image["alt"] for image in page.all("img"))
    assert read_result(tmp_path / "report")["attributes"]["train_sample_paths"] == []
