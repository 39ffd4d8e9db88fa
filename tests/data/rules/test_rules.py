from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from segtune.data.checks import SplitsCheck, check_splits
from segtune.data.image_facts import read_facts
from segtune.data.layout import SplitFiles
from segtune.data.network_rules import limits_of
from segtune.data.rules import RULES
from segtune.progress import SilentReporter
from segtune.recipe_files import load_recipe
from tests.data.rules.document import (
    HEIGHT,
    WIDTH,
    Change,
    Document,
    check,
    check_bytes,
    draw_images,
    noise,
    sound_document,
)
from tests.data.rules.file_cases import FILE_CASES, NEAR_MISSES, FileChange
from tests.data.rules.mask_cases import BOXES, SEGMENTATIONS
from tests.data.rules.split_cases import SPLIT_CASES, Pair
from tests.data.rules.structure_cases import ANNOTATIONS, CATEGORIES, IMAGES, TOP_LEVEL
from tests.drawing import write_json

DOCUMENT_CASES = TOP_LEVEL + CATEGORIES + IMAGES + ANNOTATIONS + SEGMENTATIONS + BOXES
BROKEN_FILES = [
    pytest.param("json-broken", b'{"images": [],\n "a" 3}', "line 2 column 6", id="no colon"),
    pytest.param("json-broken", b"", "line 1 column 1", id="empty file"),
    pytest.param("json-broken", b'{"a": ' + b"9" * 5000 + b"}", "4300 digits", id="long number"),
    pytest.param("json-truncated", b'{"images": [{"id": 1', "line 1 column 21", id="cut"),
    pytest.param("json-truncated", b'{"images": [{"i', "line 1 column 14", id="cut in text"),
    pytest.param("json-nesting", b"[" * 200_000, "instances.json", id="deep"),
    pytest.param("json-top-level", b"[1]", "a list", id="a list"),
    pytest.param("json-top-level", b"null", "null", id="null"),
    pytest.param("file-encoding", '{"a": 1}'.encode("utf-16"), "byte 0", id="UTF-16"),
]
TESTED_BELOW_OR_IN_TEST_CHECKS = {
    "file-missing",
    "file-unreadable",
    "images-skipped",
    "splits-identical",
    "image-in-both-splits",
    "image-similar-in-both-splits",
}


@pytest.fixture
def images_root(tmp_path: Path) -> Path:
    return draw_images(tmp_path)


def numbered(cases: list[tuple[object, ...]]) -> list[object]:
    return [pytest.param(*row, id=f"{number}-{row[0]}") for number, row in enumerate(cases)]


def test_no_rule_fires_on_the_sound_split(images_root: Path) -> None:
    found = check(sound_document(), images_root)

    assert found.findings == ()
    assert found.dataset is not None
    assert found.dataset.num_instances == 2


def assert_found(code: str, pointer: str, document: Document, images_root: Path) -> None:
    found = check(document, images_root)

    places = {finding.code: finding.places for finding in found.findings}
    assert code in places
    place = f"{images_root.parent / 'instances.json'}{', ' if pointer else ''}{pointer}"
    assert places[code][0].split(": ")[0] == place
    assert (found.dataset is None) == any(finding.severity == "error" for finding in found.findings)


@pytest.mark.parametrize(("code", "apply", "pointer"), numbered(DOCUMENT_CASES))
def test_one_fault_of_the_document_is_found_in_its_place(
    code: str, apply: Change, pointer: str, images_root: Path
) -> None:
    document = sound_document()
    apply(document)

    assert_found(code, pointer, document, images_root)


@pytest.mark.parametrize(("code", "apply", "pointer"), numbered(FILE_CASES))
def test_one_fault_of_an_image_file_is_found_in_its_place(
    code: str, apply: FileChange, pointer: str, images_root: Path
) -> None:
    document = sound_document()
    apply(document, images_root)

    assert_found(code, pointer, document, images_root)


@pytest.mark.parametrize(("code", "apply"), numbered(NEAR_MISSES))
def test_an_unusual_but_sound_image_file_is_not_a_finding(
    code: str, apply: FileChange, images_root: Path
) -> None:
    document = sound_document()
    apply(document, images_root)

    assert code not in [finding.code for finding in check(document, images_root).findings]


@pytest.mark.parametrize(("code", "content", "place"), BROKEN_FILES)
def test_a_file_that_is_no_coco_is_one_finding(
    code: str, content: bytes, place: str, images_root: Path
) -> None:
    found = check_bytes(content, images_root)

    assert [finding.code for finding in found.findings] == [code]
    assert place in found.findings[0].places[0]
    assert found.statistics.num_images == 0


def check_pair(pair: Pair, root: Path) -> dict[str, str]:
    val = pair.val.document()
    pair.edit(val)
    files = SplitFiles(
        write_json(root / "train.json", pair.train.document()),
        write_json(root / "val.json", val),
        root / "images",
    )
    network = None if pair.recipe is None else limits_of(load_recipe(pair.recipe))
    check = check_splits(files, reporter=SilentReporter(), skip_images=True, network=network)
    return {finding.code: finding.places[0] for finding in check.findings}


@pytest.mark.parametrize(("code", "sound", "faulty", "place"), numbered(SPLIT_CASES))
def test_a_fault_of_many_images_is_found_and_its_twin_at_the_limit_is_not(
    code: str, sound: Pair, faulty: Pair, place: str, tmp_path: Path
) -> None:
    assert set(check_pair(sound, tmp_path)) == {"images-skipped"}
    assert check_pair(faulty, tmp_path)[code] == f"{tmp_path}/{place}"


def check_pictures(root: Path, train: list[Image.Image], val: list[Image.Image]) -> SplitsCheck:
    """Check two splits of these pictures, each with the one annotation of the sound split."""
    files = {}
    (root / "images").mkdir()
    for split, pictures in (("train", train), ("val", val)):
        document = sound_document()
        first, _ = document["annotations"]
        document["categories"].pop()
        document["images"] = []
        document["annotations"] = []
        for number, picture in enumerate(pictures, start=1):
            name = f"{split}{number}.png"
            picture.save(root / "images" / name)
            document["images"].append(
                {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
            )
            document["annotations"].append(first | {"id": number, "image_id": number})
        files[split] = write_json(root / f"{split}.json", document)
    splits = SplitFiles(files["train"], files["val"], root / "images")
    return check_splits(splits, reporter=SilentReporter())


def pictures(*seeds: int) -> list[Image.Image]:
    return [noise(seed, (HEIGHT, WIDTH)) for seed in seeds]


def codes(check: SplitsCheck) -> list[str]:
    return [finding.code for finding in check.findings]


def test_splits_of_other_pictures_share_nothing(tmp_path: Path) -> None:
    assert codes(check_pictures(tmp_path, pictures(*range(10)), pictures(10, 11))) == []


def test_a_picture_in_both_splits_is_found_with_its_twin(tmp_path: Path) -> None:
    found = check_pictures(tmp_path, pictures(*range(10)), pictures(10, 3))

    assert codes(found) == ["image-in-both-splits"]
    place = found.findings[0].places[0]
    assert place.endswith("val.json, images[1]: val2.png, as train4.png (train.json images[3])")


def test_a_near_copy_in_both_splits_is_found(tmp_path: Path) -> None:
    (brighter,) = (picture.point(lambda value: value * 0.9 + 20) for picture in pictures(3))

    found = check_pictures(tmp_path, pictures(*range(10)), [*pictures(10), brighter])

    assert codes(found) == ["image-similar-in-both-splits"]
    assert "as train4.png" in found.findings[0].places[0]


def test_a_validation_split_of_training_images_alone_is_said_to_be_one(tmp_path: Path) -> None:
    found = check_pictures(tmp_path, pictures(*range(10)), pictures(*range(10)))

    assert codes(found) == ["splits-identical", "image-in-both-splits"]
    assert found.findings[1].count == 10


def test_a_photograph_with_a_preview_behind_it_is_not_animated(tmp_path: Path) -> None:
    first, second = pictures(0, 1)
    first.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[second])

    facts = read_facts(tmp_path / "phone.jpg")

    assert (facts.format, facts.num_frames) == ("JPEG", 1)


def test_every_rule_is_tested() -> None:
    tested = {row[0] for row in (*DOCUMENT_CASES, *FILE_CASES, *SPLIT_CASES)}
    tested |= {str(case.values[0]) for case in BROKEN_FILES}

    assert tested | TESTED_BELOW_OR_IN_TEST_CHECKS == set(RULES)
