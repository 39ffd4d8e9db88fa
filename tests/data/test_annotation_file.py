"""The quick way and the way through `json` lead to the same dataset and the same findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtune import masks
from segtune.data import annotation_chunk, annotation_file
from segtune.data.coco import CocoDataset, read_sound_records
from segtune.data.findings import Finding, FindingLog
from tests.data.mutation import mutate

HEIGHT, WIDTH = 10, 20
SQUARE = [2.0, 3.0, 6.0, 3.0, 6.0, 8.0, 2.0, 8.0]


def sound_document() -> dict[str, Any]:
    """Three images out of order; polygons of one and two rings, both kinds of RLE."""
    polygon = {
        "category_id": 1,
        "segmentation": [SQUARE],
        "bbox": [2.0, 3.0, 4.0, 5.0],
        "area": 20.0,
        "iscrowd": 0,
    }
    rle = {"size": [HEIGHT, WIDTH], "counts": [25, 3, 172]}
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in (3, 1, 2)
        ],
        "annotations": [
            polygon | {"id": 9, "image_id": 1},
            polygon | {"id": 7, "image_id": 2, "segmentation": [SQUARE, [1, 1, 5, 1, 5, 5]]},
            polygon | {"id": 8, "image_id": 1, "category_id": 2},
            polygon | {"id": 4, "image_id": 2, "segmentation": rle, "iscrowd": 1},
            {"id": 5, "image_id": 2, "category_id": 2, "segmentation": rle | {"counts": "i03\\5"}},
        ],
        "categories": [{"id": 2, "name": "fig"}, {"id": 1, "name": "date"}],
    }


def read(file: Path, content: bytes) -> tuple[CocoDataset, tuple[Finding, ...]]:
    file.write_bytes(content)
    log = FindingLog(file)
    dataset, _ = read_sound_records(file.parent, log)
    return dataset, log.findings()


def is_read_quickly(content: bytes) -> bool:
    return annotation_file._find_entries(content) is not None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "instances.json"


def read_both_ways(
    file: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[CocoDataset, tuple[Finding, ...]]]:
    quick = read(file, content)
    with monkeypatch.context() as patch:
        patch.setattr(annotation_file, "_find_entries", lambda content: None)
        return [quick, read(file, content)]


def test_random_damage_is_found_alike_both_ways(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = sound_document()
    num_quick = 0
    for seed in range(400):
        content = mutate(sound, seed)
        num_quick += is_read_quickly(content)

        (quick, quick_findings), (slow, slow_findings) = read_both_ways(file, content, monkeypatch)

        assert quick_findings == slow_findings
        assert quick.fingerprint() == slow.fingerprint()
        assert quick.images == slow.images
    assert 100 < num_quick < 400


@pytest.mark.parametrize(
    "number",
    ["3", "3.0", "-0", "-0.0", "0.1", "1e0", "2.675", "9007199254740993", "123456.789e-4"],
)
def test_a_coordinate_is_the_same_number_both_ways(
    number: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(sound_document()).replace("2.0, 3.0, 6.0", f"2.0, {number}, 6.0").encode()
    assert is_read_quickly(content)

    (quick, quick_findings), (slow, slow_findings) = read_both_ways(file, content, monkeypatch)

    assert quick_findings == slow_findings
    assert quick.table.points.tobytes() == slow.table.points.tobytes()
    assert quick.fingerprint() == slow.fingerprint()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"images": [], "annotations": []}', id="a list is missing"),
        pytest.param(b'{"images": [], "annotations": [], "categories": {}}', id="no list"),
        pytest.param(b'{"images": [NaN], "annotations": [], "categories": []}', id="NaN"),
        pytest.param(b'{"images": ["\\ud83d"], "annotations": [], "categories": []}', id="half"),
        pytest.param(b'{"images": ["\xff"], "annotations": [], "categories": []}', id="not UTF-8"),
        pytest.param(b'{"images": [], "annotations": [], "categories": [', id="cut"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_plain_coco_file_is_left_to_json(content: bytes) -> None:
    assert not is_read_quickly(content)


def test_text_beyond_ascii_is_read_quickly(file: Path) -> None:
    document = sound_document()
    document["categories"][0]["name"] = "Nüsse 🌰"
    content = json.dumps(document, ensure_ascii=False).encode()
    assert is_read_quickly(content)

    dataset, findings = read(file, content)

    assert [one.code for one in findings] == ["area-missing", "iscrowd-missing", "box-missing"]
    assert dataset.categories.names == ["date", "Nüsse 🌰"]


def test_a_number_beyond_all_floats_is_found_in_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(sound_document()).replace("2.0, 3.0, 6.0", "2.0, 1e999, 6.0").encode()
    assert is_read_quickly(content)

    for _, findings in read_both_ways(file, content, monkeypatch):
        assert findings[0].code == "polygon-not-finite"
        assert "annotations[0].segmentation[0]" in findings[0].places[0]


def test_a_number_of_too_many_digits_is_found_in_its_place(file: Path) -> None:
    document = json.dumps(sound_document())
    content = document.replace('"area": 20.0', f'"area": {"9" * 5000}', 1).encode()
    assert is_read_quickly(content)

    _, findings = read(file, content)

    assert findings[0].code == "json-broken"
    assert findings[0].places[0].startswith(f"{file}, annotations[0]: ")


def test_rows_are_sorted_by_image_and_annotation_id(file: Path) -> None:
    dataset, _ = read(file, json.dumps(sound_document()).encode())
    table = dataset.table

    assert [image.image_id for image in dataset.images] == [1, 2, 3]
    assert table.annotation_ids.tolist() == [8, 9, 4, 5, 7]
    assert table.image_starts.tolist() == [0, 2, 5, 5]
    assert table.labels.tolist() == [1, 0, 0, 1, 0]
    assert np.diff(table.first_rings).tolist() == [1, 1, 0, 0, 2]
    assert np.diff(table.ring_starts).tolist() == [4, 4, 4, 3]
    assert sorted(table.rles) == [2, 3]
    assert table.segmentation(4) == [SQUARE, [1, 1, 5, 1, 5, 5]]
    # A stated area stays, a missing one is that of the mask.
    assert table.areas.tolist() == [20, 20, 20, 3, 20]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 8192])
def test_the_size_of_chunks_changes_nothing(
    chunk: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = sound_document()
    document["annotations"][1]["segmentation"].append([1, 1])
    document["annotations"][2]["area"] = "20"
    document["annotations"][4]["id"] = 9
    content = json.dumps(document).encode()
    whole, whole_findings = read(file, content)
    monkeypatch.setattr(annotation_chunk, "CHUNK", chunk)

    dataset, findings = read(file, content)

    assert findings == whole_findings
    assert {finding.code for finding in findings} == {
        "annotation-id-duplicate",
        "polygon-too-short",
        "area-type",
        "area-missing",
        "iscrowd-missing",
        "box-missing",
    }
    assert dataset.images == whole.images
    assert dataset.num_instances == 3


def test_places_are_in_file_order_whatever_looked_at_them(file: Path) -> None:
    document = sound_document()
    for place, annotation in enumerate(document["annotations"][:3]):
        annotation["segmentation"] = [[1, 1]]
        annotation["area"] = 20.0 if place % 2 else "20"  # the others are looked at one by one

    _, findings = read(file, json.dumps(document).encode())

    places = {finding.code: finding.places for finding in findings}["polygon-too-short"]
    assert [place.split(", ")[1].split(".")[0] for place in places] == [
        "annotations[0]",
        "annotations[1]",
        "annotations[2]",
    ]


def test_the_compact_run_lengths_are_given_back_as_in_the_file(file: Path) -> None:
    dataset, _ = read(file, json.dumps(sound_document()).encode())

    crowd, text = dataset.images[1].instances[:2]

    assert crowd.segmentation == {"size": [HEIGHT, WIDTH], "counts": [25, 3, 172]}
    assert type(crowd.segmentation["counts"][0]) is int
    assert text.segmentation == {"size": [HEIGHT, WIDTH], "counts": "i03\\5"}
    for instance in (crowd, text):
        assert masks.area(instance.segmentation, (HEIGHT, WIDTH)) == 3


def test_a_part_of_the_images_has_a_table_of_its_own(file: Path) -> None:
    whole, _ = read(file, json.dumps(sound_document()).encode())

    part = CocoDataset(whole.annotation_file, whole.categories, whole.images[1:])

    assert part.table.annotation_ids.tolist() == [4, 5, 7]
    assert part.table.segmentation(2) == whole.table.segmentation(4)
    assert [record for image in part.images for record in image.instances] == [
        whole.table.record(row) for row in (2, 3, 4)
    ]
