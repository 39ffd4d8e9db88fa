from __future__ import annotations

from pathlib import Path

import pytest

from segtune.convert import convert
from segtune.errors import DatasetError
from segtune.formats.source_documents import read_json, read_text, read_xml, read_yaml
from segtune.formats.source_paths import as_parts, clean_name, find_inside
from segtune.split import split_dataset
from tests.drawing import draw_coco
from tests.formats.labelled import corners, labelme_folder, shape, write_json
from tests.formats.labelled import read_json as load


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": ', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"1" * 5000, "is not valid JSON"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b"", "is not valid JSON"),
    ],
    ids=["cut off", "deep", "huge number", "UTF-16", "empty"],
)
def test_broken_json_is_told_by_file(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=rf"a\.json {problem}"):
        read_json(path)


def test_deep_yaml_and_xml_are_told_by_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("[" * 1_500)
    with pytest.raises(DatasetError, match=r"a\.yaml is not valid YAML"):
        read_yaml(path)
    path.write_text("<a>" * 20_000)
    with pytest.raises(DatasetError, match=r"a\.yaml is not valid XML"):
        read_xml(path)


def test_a_byte_order_mark_is_no_content_and_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfcat\n")

    assert read_text(tmp_path / "a.txt") == "cat\n"
    with pytest.raises(DatasetError, match="cannot read"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b.png", ("a", "b.png")),
        ("a\\b.png", ("a", "b.png")),
        ("./a//b.png", ("a", "b.png")),
        ("C:\\x\\b.png", ("b.png",)),
        ("/x/b.png", ("b.png",)),
        ("", ()),
    ],
)
def test_parts_of_paths_of_any_machine(name: str, parts: tuple[str, ...]) -> None:
    assert as_parts(name) == parts


def test_names_in_a_new_folder_have_no_images_folder_and_no_dots() -> None:
    assert clean_name("../images/train/a.png") == "train/a.png"
    assert clean_name("Images\\images") == "images"


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "\ud800.png", "..", "../../etc/passwd"])
def test_names_that_lead_nowhere_are_not_found(tmp_path: Path, name: str) -> None:
    assert find_inside(tmp_path, name, [tmp_path]) is None


def test_names_that_are_not_unicode_are_errors(tmp_path: Path) -> None:
    source = labelme_folder(tmp_path / "in", [shape("\ud800", corners(1, 1, 9, 9))])
    with pytest.raises(DatasetError, match="a name is not Unicode text"):
        convert(source, tmp_path / "out")

    root = draw_coco(tmp_path / "coco")
    file = root / "annotations" / "instance_train.json"
    write_json(file, load(file) | {"info": {"description": "\ud800"}})
    with pytest.raises(DatasetError, match="a name is not Unicode text"):
        split_dataset(root, tmp_path / "out", shares={"val": 0.3})
    assert not (tmp_path / "out").exists()
