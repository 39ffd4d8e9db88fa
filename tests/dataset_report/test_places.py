from __future__ import annotations

from pathlib import Path

import pytest

from segtune.data.findings import FindingLog
from segtune.dataset_report.places import Place, parse_place

FILES = {"train": Path("a, b.json"), "val": Path("a, b.json, val")}


@pytest.mark.parametrize(
    ("file", "pointer", "detail", "split", "entry"),
    [
        ("a, b.json", "annotations[96].bbox", "x: 1", "train", ("annotations", 96)),
        ("a, b.json, val", "images[0]", "", "val", ("images", 0)),
        ("a, b.json", "", "byte 3 is not UTF-8", "train", None),
        ("a, b.json", "", "", "train", None),
        ("a, b.json", "line 3 column 4", "Expecting value", "train", None),
    ],
)
def test_a_place_of_the_log_is_taken_apart_into_what_was_put_in(
    file: str, pointer: str, detail: str, split: str, entry: tuple[str, int] | None
) -> None:
    log = FindingLog(Path(file))
    log.add("box-type", pointer, detail)

    place = parse_place(log.findings()[0].places[0], FILES)

    assert place == Place(split, pointer, detail)
    assert place.section == (entry[0] if entry else None)
    if entry:
        assert place.index == entry[1]


def test_a_text_of_another_form_is_all_detail() -> None:
    place = parse_place("c.json, images[1]", FILES)

    assert place == Place(None, "", "c.json, images[1]")
    with pytest.raises(ValueError, match="not an entry"):
        _ = place.index
