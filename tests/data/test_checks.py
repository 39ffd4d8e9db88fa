from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from segtune import masks
from segtune.data.checks import SplitCheck, check_split, check_splits
from segtune.data.layout import locate_root
from segtune.data.rules import RULES
from segtune.progress import SilentReporter
from tests.data.mutation import mutate
from tests.drawing import write_json

Document = dict[str, Any]
Change = Callable[[Document], object]

HEIGHT, WIDTH = 10, 20
TRIANGLE = [2.0, 3.0, 6.0, 3.0, 6.0, 8.0]
REMOVE = object()


def sound_document() -> Document:
    """Two images; a polygon on the first, an RLE of 3 pixels on the second."""
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [TRIANGLE],
                "bbox": [2.0, 3.0, 4.0, 5.0],
                "area": 10.0,
                "iscrowd": 0,
            },
            {
                "id": 2,
                "image_id": 2,
                "category_id": 2,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": [25, 3, 172]},
                "bbox": [2, 5, 1, 3],
                "area": 3,
                "iscrowd": 1,
            },
        ],
        "categories": [{"id": 1, "name": "date"}, {"id": 2, "name": "fig"}],
    }


@pytest.fixture
def images_root(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 60)).save(path)
    return tmp_path / "images"


def check(document: object, images_root: Path) -> SplitCheck:
    file = write_json(images_root.parent / "instances.json", document)
    return check_split(file, images_root, reporter=SilentReporter())


def check_bytes(content: bytes, images_root: Path) -> SplitCheck:
    file = images_root.parent / "instances.json"
    file.write_bytes(content)
    return check_split(file, images_root, reporter=SilentReporter())


def change(section: str, key: str, value: object, index: int = 0) -> Change:
    def apply(document: Document) -> None:
        if value is REMOVE:
            del document[section][index][key]
        else:
            document[section][index][key] = value

    return apply


def image(key: str, value: object, index: int = 0) -> Change:
    return change("images", key, value, index)


def instance(key: str, value: object, index: int = 0) -> Change:
    return change("annotations", key, value, index)


def category(key: str, value: object, index: int = 0) -> Change:
    return change("categories", key, value, index)


def polygons(*rings: object) -> Change:
    return instance("segmentation", list(rings))


def copies(number: int) -> Change:
    """Add an instance of the first image so many times."""

    def apply(document: Document) -> None:
        first = document["annotations"][0]
        document["annotations"] += [first | {"id": 10 + turn} for turn in range(number)]

    return apply


def rle(size: object, counts: object) -> Change:
    return instance("segmentation", {"size": size, "counts": counts}, index=1)


TOP_LEVEL = [
    ("images-missing-key", lambda d: d.pop("images"), ""),
    ("annotations-missing-key", lambda d: d.pop("annotations"), ""),
    ("categories-missing-key", lambda d: d.pop("categories"), ""),
    ("images-not-list", lambda d: d.update(images={}), "images"),
    ("annotations-not-list", lambda d: d.update(annotations="none"), "annotations"),
    ("categories-not-list", lambda d: d.update(categories=None), "categories"),
    ("images-none", lambda d: d["images"].clear(), "images"),
    ("annotations-none", lambda d: d["annotations"].clear(), "annotations"),
    ("categories-none", lambda d: d["categories"].clear(), "categories"),
]
CATEGORIES = [
    ("category-not-object", lambda d: d["categories"].append("fig"), "categories[2]"),
    ("category-id-missing", category("id", REMOVE), "categories[0].id"),
    ("category-id-type", category("id", "1"), "categories[0].id"),
    ("category-id-duplicate", category("id", 1, 1), "categories[1].id"),
    ("category-name-missing", category("name", REMOVE), "categories[0].name"),
    ("category-name-type", category("name", 4), "categories[0].name"),
    ("category-name-type", category("name", "  "), "categories[0].name"),
    ("category-name-type", category("name", "\ud800"), "categories[0].name"),
    ("category-name-duplicate", category("name", "date", 1), "categories[1].name"),
]
IMAGES = [
    ("image-not-object", lambda d: d["images"].append(None), "images[2]"),
    ("image-id-missing", image("id", REMOVE), "images[0].id"),
    ("image-id-type", image("id", 1.0), "images[0].id"),
    ("image-id-type", image("id", True), "images[0].id"),
    ("image-id-type", image("id", 10**30), "images[0].id"),
    ("image-id-duplicate", image("id", 1, 1), "images[1].id"),
    ("image-name-missing", image("file_name", REMOVE), "images[0].file_name"),
    ("image-name-type", image("file_name", 12), "images[0].file_name"),
    ("image-name-type", image("file_name", "a\0.png"), "images[0].file_name"),
    ("image-path-absolute", image("file_name", "/data/a.png"), "images[0].file_name"),
    ("image-path-absolute", image("file_name", "C:\\data\\a.png"), "images[0].file_name"),
    ("image-path-outside", image("file_name", "../a.png"), "images[0].file_name"),
    ("image-path-outside", image("file_name", "sub/../../a.png"), "images[0].file_name"),
    ("image-size-missing", image("width", REMOVE), "images[0].width"),
    ("image-size-type", image("width", "20"), "images[0].width"),
    ("image-size-type", image("height", 0), "images[0].height"),
    ("image-size-type", image("height", 70_000), "images[0].height"),
    ("image-missing", image("file_name", "c.png"), "images[0].file_name"),
    ("image-unreadable", image("file_name", "n" * 300), "images[0].file_name"),
    ("image-size", image("width", 21), "images[0]"),
    ("image-overfull", copies(300), "images[0]"),
]
ANNOTATIONS = [
    ("annotation-not-object", lambda d: d["annotations"].append([]), "annotations[2]"),
    ("annotation-id-missing", instance("id", REMOVE), "annotations[0].id"),
    ("annotation-id-type", instance("id", "1"), "annotations[0].id"),
    ("annotation-id-duplicate", instance("id", 1, 1), "annotations[1].id"),
    ("annotation-image-missing", instance("image_id", REMOVE), "annotations[0].image_id"),
    ("annotation-image-type", instance("image_id", "1"), "annotations[0].image_id"),
    ("image-unknown", instance("image_id", 3), "annotations[0].image_id"),
    ("annotation-category-missing", instance("category_id", None), "annotations[0].category_id"),
    ("annotation-category-type", instance("category_id", 1.5), "annotations[0].category_id"),
    ("category-unknown", instance("category_id", 12, 1), "annotations[1].category_id"),
    ("iscrowd-type", instance("iscrowd", True), "annotations[0].iscrowd"),
    ("iscrowd-type", instance("iscrowd", 2), "annotations[0].iscrowd"),
    ("area-type", instance("area", "10"), "annotations[0].area"),
    ("area-type", instance("area", float("nan")), "annotations[0].area"),
    ("area-type", instance("area", 10**400), "annotations[0].area"),
    ("area-not-positive", instance("area", 0), "annotations[0].area"),
]
SEGMENTATIONS = [
    ("segmentation-missing", instance("segmentation", REMOVE), "annotations[0].segmentation"),
    ("segmentation-type", instance("segmentation", "x"), "annotations[0].segmentation"),
    ("segmentation-empty", polygons(), "annotations[0].segmentation"),
    ("polygon-type", polygons(TRIANGLE, 3), "annotations[0].segmentation[1]"),
    ("polygon-type", polygons(["2", *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-type", polygons([True, *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-odd", polygons([*TRIANGLE, 1.0]), "annotations[0].segmentation[0]"),
    ("polygon-too-short", polygons(TRIANGLE, [1, 1, 2, 2]), "annotations[0].segmentation[1]"),
    ("polygon-too-short", polygons([]), "annotations[0].segmentation[0]"),
    (
        "polygon-not-finite",
        polygons([float("inf"), *TRIANGLE[1:]]),
        "annotations[0].segmentation[0]",
    ),
    (
        "polygon-not-finite",
        polygons([float("nan"), *TRIANGLE[1:]]),
        "annotations[0].segmentation[0]",
    ),
    ("polygon-not-finite", polygons([10**400, *TRIANGLE[1:]]), "annotations[0].segmentation[0]"),
    ("polygon-outside", polygons([21, 3, 25, 3, 25, 8]), "annotations[0].segmentation[0]"),
    ("polygon-outside", polygons([2, -9, 6, -9, 6, 0]), "annotations[0].segmentation[0]"),
    ("polygon-far-beyond", polygons([2, 3, 6, 3, 6, 40]), "annotations[0].segmentation[0]"),
    ("polygon-beyond-edge", polygons([2, 3, 6, 3, 6, 12]), "annotations[0].segmentation[0]"),
    (
        "polygon-beyond-edge",
        polygons(TRIANGLE, [21, 3, 25, 3, 25, 8]),
        "annotations[0].segmentation[1]",
    ),
    ("rle-type", rle("10x20", [200]), "annotations[1].segmentation.size"),
    ("rle-type", rle([10, 20], None), "annotations[1].segmentation.counts"),
    ("rle-type", rle([10, 20], [25, "3", 172]), "annotations[1].segmentation.counts"),
    ("rle-type", rle([10, 20], "a b"), "annotations[1].segmentation.counts"),
    ("rle-size", rle([20, 10], [25, 3, 172]), "annotations[1].segmentation.size"),
    ("rle-length", rle([10, 20], [25, 3, 171]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], [25, -3, 178]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], [10**30]), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], ""), "annotations[1].segmentation.counts"),
    ("rle-length", rle([10, 20], "ooooo?ooooo?"), "annotations[1].segmentation.counts"),
    ("segmentation-empty", rle([10, 20], [200]), "annotations[1].segmentation"),
]
BOXES = [
    ("box-missing", instance("bbox", REMOVE), "annotations[0].bbox"),
    ("box-type", instance("bbox", [2, 3, 4]), "annotations[0].bbox"),
    ("box-type", instance("bbox", [2, 3, 4, "5"]), "annotations[0].bbox"),
    ("box-not-finite", instance("bbox", [2, 3, 4, float("nan")]), "annotations[0].bbox"),
    ("box-not-finite", instance("bbox", [1e308, 3, 1e308, 5]), "annotations[0].bbox"),
    ("box-no-area", instance("bbox", [2, 3, 0, 5]), "annotations[0].bbox"),
    ("box-no-area", instance("bbox", [6, 3, -4, 5]), "annotations[0].bbox"),
    ("box-outside", instance("bbox", [20, 3, 4, 5]), "annotations[0].bbox"),
    ("box-beyond-edge", instance("bbox", [2, 3, 4, 8.5]), "annotations[0].bbox"),
]
ALL_CHANGES = TOP_LEVEL + CATEGORIES + IMAGES + ANNOTATIONS + SEGMENTATIONS + BOXES


def test_a_sound_split_has_no_findings(images_root: Path) -> None:
    found = check(sound_document(), images_root)

    assert found.findings == ()
    assert found.dataset is not None
    assert found.dataset.num_instances == 2


@pytest.mark.parametrize(
    ("code", "apply", "pointer"),
    [pytest.param(*row, id=f"{number}-{row[0]}") for number, row in enumerate(ALL_CHANGES)],
)
def test_one_fault_is_found_in_its_place(
    code: str, apply: Change, pointer: str, images_root: Path
) -> None:
    document = sound_document()
    apply(document)

    found = check(document, images_root)

    places = {finding.code: finding.places for finding in found.findings}
    assert code in places
    place = f"{images_root.parent / 'instances.json'}{', ' if pointer else ''}{pointer}"
    assert places[code][0].split(": ")[0] == place
    assert (found.dataset is None) == any(finding.severity == "error" for finding in found.findings)


@pytest.mark.parametrize(
    ("code", "content", "place"),
    [
        pytest.param("json-broken", b'{"images": [],\n "a" 3}', "line 2 column 6", id="no colon"),
        pytest.param("json-broken", b"", "line 1 column 1", id="empty file"),
        pytest.param(
            "json-broken", b'{"a": ' + b"9" * 5000 + b"}", "4300 digits", id="long number"
        ),
        pytest.param("json-truncated", b'{"images": [{"id": 1', "line 1 column 21", id="cut"),
        pytest.param("json-truncated", b'{"images": [{"i', "line 1 column 14", id="cut in text"),
        pytest.param("json-nesting", b"[" * 200_000, "instances.json", id="deep"),
        pytest.param("json-top-level", b"[1]", "a list", id="a list"),
        pytest.param("json-top-level", b"null", "null", id="null"),
        pytest.param("file-encoding", '{"a": 1}'.encode("utf-16"), "byte 0", id="UTF-16"),
    ],
)
def test_a_file_that_is_no_coco_is_one_finding(
    code: str, content: bytes, place: str, images_root: Path
) -> None:
    found = check_bytes(content, images_root)

    assert [finding.code for finding in found.findings] == [code]
    assert place in found.findings[0].places[0]
    assert found.statistics.num_images == 0


def test_a_missing_file_and_a_folder_are_findings(tmp_path: Path) -> None:
    missing = check_split(tmp_path / "absent.json", tmp_path, reporter=SilentReporter())
    folder = check_split(tmp_path, tmp_path, reporter=SilentReporter())

    assert [finding.code for finding in missing.findings] == ["file-missing"]
    assert [finding.code for finding in folder.findings] == ["file-unreadable"]


def test_damaged_images_are_found(images_root: Path) -> None:
    (images_root / "a.png").write_bytes(b"")
    whole = (images_root / "b.png").read_bytes()
    (images_root / "b.png").write_bytes(whole[: len(whole) // 2])

    found = check(sound_document(), images_root)

    assert [finding.code for finding in found.findings] == ["image-empty", "image-unreadable"]


def test_a_size_from_before_exif_rotation_is_called_that(images_root: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # stored lying, shown upright: 10 wide, 20 high
    Image.new("RGB", (WIDTH, HEIGHT)).save(images_root / "a.jpg", exif=turned)
    document = sound_document()
    document["images"][0]["file_name"] = "a.jpg"

    found = check(document, images_root)

    assert [finding.code for finding in found.findings] == ["image-size-exif"]
    assert "stated 20 x 10, is 10 x 20" in found.findings[0].places[0]


def test_skipped_images_need_not_be_there_and_the_report_says_so(images_root: Path) -> None:
    (images_root / "a.png").unlink()
    file = write_json(images_root.parent / "instances.json", sound_document())

    found = check_split(file, images_root, reporter=SilentReporter(), skip_images=True)

    assert [(one.code, one.severity) for one in found.findings] == [("images-skipped", "info")]
    assert found.dataset is not None


def test_all_faults_come_in_one_report_errors_first(images_root: Path) -> None:
    document = sound_document()
    for apply in (
        image("file_name", "c.png", 1),
        instance("category_id", 12),
        instance("bbox", REMOVE),
        instance("segmentation", [[2, 3, 6, 3, 6, 12]]),
        instance("iscrowd", "no", 1),
    ):
        apply(document)

    found = check(document, images_root)

    assert [finding.code for finding in found.findings] == [
        "image-missing",
        "category-unknown",
        "iscrowd-type",
        "polygon-beyond-edge",
        "box-missing",
    ]


def test_places_stop_at_ten_and_the_count_does_not(images_root: Path) -> None:
    document = sound_document()
    document["annotations"] += [
        document["annotations"][0] | {"id": 10 + turn, "category_id": 9} for turn in range(25)
    ]

    finding = check(document, images_root).findings[0]

    assert finding.code == "category-unknown"
    assert finding.count == 25
    assert len(finding.places) == 10


def test_an_image_of_300_instances_and_a_crowd_is_not_overfull(images_root: Path) -> None:
    document = sound_document()
    instance("image_id", 1, 1)(document)  # the crowd
    copies(299)(document)

    found = check(document, images_root)

    assert found.findings == ()
    assert found.statistics.instances_per_image == {0: 1, 301: 1}


def test_an_overfull_image_is_a_warning_with_its_count_and_name(images_root: Path) -> None:
    document = sound_document()
    copies(300)(document)
    document["images"].reverse()

    (finding,) = check(document, images_root).findings

    assert (finding.severity, finding.count) == ("warning", 1)
    assert finding.places[0].endswith("images[1]: 301 instances, more than 300 (a.png)")
    assert "tiles" in finding.remedy


def test_a_pixel_beyond_the_edge_is_tolerated(images_root: Path) -> None:
    document = sound_document()
    polygons([-1, -1, 21, -1, 21, 11, -1, 11])(document)
    instance("bbox", [-1, -1, 22, 12])(document)

    assert check(document, images_root).findings == ()


def test_statistics_count_what_is_sound(images_root: Path) -> None:
    document = sound_document()
    instance("category_id", 12)(document)

    counts = check(document, images_root).statistics

    assert (counts.num_images, counts.num_instances, counts.num_crowds) == (2, 1, 1)
    assert counts.num_background_images == 1
    assert counts.instances_per_class == {"date": 0, "fig": 1}
    assert counts.instances_per_image == {0: 1, 1: 1}
    assert counts.instances_per_size == {"small": 1, "medium": 0, "large": 0}


def check_both(root: Path) -> list[tuple[str, str]]:
    check = check_splits(locate_root(root), reporter=SilentReporter())
    return [(finding.code, finding.places[0]) for finding in check.findings]


def test_drawn_splits_are_sound(tiny_coco: Path) -> None:
    assert check_both(tiny_coco) == []


@pytest.mark.parametrize(
    ("code", "apply", "detail"),
    [
        pytest.param(
            "category-split-missing",
            lambda d: d["categories"].append({"id": 9, "name": "star"}),
            "id 9, 'star', is declared in val only",
            id="one more",
        ),
        pytest.param(
            "category-split-name",
            lambda d: d["categories"][0].update(name="ring"),
            "id 1 is 'disc' in train, 'ring' in val",
            id="another name",
        ),
    ],
)
def test_categories_that_differ_between_splits_are_found(
    code: str, apply: Change, detail: str, tiny_coco: Path
) -> None:
    file = tiny_coco / "annotations" / "instance_val.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    apply(document)
    write_json(file, document)

    assert check_both(tiny_coco) == [(code, f"{file}, categories: {detail}")]


def test_the_order_of_categories_may_differ_between_splits(tiny_coco: Path) -> None:
    file = tiny_coco / "annotations" / "instance_val.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["categories"].reverse()
    write_json(file, document)

    assert check_both(tiny_coco) == []


def test_every_rule_is_tested_here() -> None:
    own_tests = {
        "file-missing",
        "file-unreadable",
        "file-encoding",
        "json-broken",
        "json-truncated",
        "json-nesting",
        "json-top-level",
        "image-empty",
        "image-size-exif",
        "category-split-missing",
        "category-split-name",
        "images-skipped",
    }

    assert {row[0] for row in ALL_CHANGES} | own_tests == set(RULES)


def test_damage_causes_findings_only_and_what_passes_can_be_rasterised(images_root: Path) -> None:
    sound = sound_document()
    num_passed = 0
    for seed in range(600):
        found = check_bytes(mutate(sound, seed), images_root)

        for finding in found.findings:
            "\n".join((*finding.places, finding.message, finding.remedy)).encode("utf-8")
        if found.dataset is not None:
            num_passed += 1
            for record in found.dataset.images:
                for instance_record in record.instances:
                    masks.rasterise(instance_record.segmentation, record.size_hw)
    assert 0 < num_passed < 600
