from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.cvat import read_cvat
from segtune.progress import SilentReporter
from tests.formats.labelled import SIZE, draw_picture, iou, rectangle_bitmap, ring

POLYGON = '<polygon label="cat" points="1.00,2.00;9.50,2.00;5.00,8.25" z_order="0"></polygon>'


def _read(source: Path, images: Path | None = None) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    return read_cvat(source, account, images=images, reporter=SilentReporter()), account


def _export(root: Path, shapes: str, name: str = "a.png", more: str = "") -> Path:
    draw_picture(root / "images" / "a.png")
    labels = "".join(f"<label><name>{label}</name></label>" for label in ("dog", "cat"))
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f"<meta><task><labels>{labels}</labels></task></meta>"
        f'<image id="0" name="{name}" width="80" height="60" {more}>{shapes}</image></annotations>'
    )
    return root


def test_polygons_keep_their_points_and_labels_their_order(tmp_path: Path) -> None:
    dataset, account = _read(_export(tmp_path, POLYGON))

    assert dataset.class_names == ("dog", "cat")
    (instance,) = dataset.images[0].instances
    assert (instance.class_name, instance.segmentation) == ("cat", [[1, 2, 9.5, 2, 5, 8.25]])
    assert account.carried == {"polygon": 1}
    assert account.lost == account.notes == ()


def test_masks_are_run_lengths_of_a_box_row_by_row(tmp_path: Path) -> None:
    # Rows of a 4 x 3 box: 0110, 0111, 0000.
    mask = '<mask label="dog" rle="1, 2, 2, 3, 4" left="10" top="20" width="4" height="3"></mask>'

    dataset, _ = _read(_export(tmp_path, mask))

    bitmap = masks.rasterise(dataset.images[0].instances[0].segmentation, SIZE)
    assert np.argwhere(bitmap).tolist() == [[20, 11], [20, 12], [21, 11], [21, 12], [21, 13]]


def test_a_group_of_one_label_is_one_instance(tmp_path: Path) -> None:
    shapes = (
        '<polygon label="cat" points="1,1;5,1;5,5;1,5" group_id="3"/>'
        '<polygon label="cat" points="11,1;15,1;15,5;11,5" group_id="3"/>'
        '<polygon label="cat" points="21,1;25,1;25,5;21,5" group_id="0"/>'
        '<polygon label="dog" points="31,1;35,1;35,5;31,5" group_id="4"/>'
        '<mask label="dog" rle="0,4" left="40" top="1" width="2" height="2" group_id="4"/>'
    )

    dataset, _ = _read(_export(tmp_path, shapes))

    joined, alone, mixed = dataset.images[0].instances
    assert joined.segmentation == [ring(1, 1, 5, 5), ring(11, 1, 15, 5)]
    assert alone.segmentation == [ring(21, 1, 25, 5)]
    expected = rectangle_bitmap(31, 1, 35, 5) | rectangle_bitmap(40, 1, 42, 3)
    np.testing.assert_array_equal(masks.rasterise(mixed.segmentation, SIZE), expected)


def test_a_turned_ellipse_covers_what_it_encloses(tmp_path: Path) -> None:
    shape = '<ellipse label="cat" cx="40" cy="30" rx="25" ry="10" rotation="90"/>'

    dataset, _ = _read(_export(tmp_path, shape))

    rows, columns = np.indices(SIZE) + 0.5
    expected = ((columns - 40) / 10) ** 2 + ((rows - 30) / 25) ** 2 <= 1
    assert iou(masks.rasterise(dataset.images[0].instances[0].segmentation, SIZE), expected) > 0.98


def test_shapes_without_masks_and_faulty_ones_are_counted(tmp_path: Path) -> None:
    shapes = (
        '<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/><polyline label="cat" points="1,1;2,2"/>'
        '<points label="cat" points="1,1"/><tag label="cat"/><cuboid label="cat"/><unheard/>'
        '<polygon points="1,1;5,1;5,5"/><polygon label="cat" points="1,1;5;5,5"/>'
        '<polygon label="cat" points="1,1;x,1;5,5"/><polygon label="cat" points="1,1;2,2"/>'
        '<mask label="cat" rle="5" left="0" top="0" width="2" height="2"/>'
        '<mask label="cat" rle="4" left="79" top="0" width="2" height="2"/>'
        '<ellipse label="cat" cx="1" cy="1" rx="1e9" ry="1"/>'
    )

    dataset, account = _read(_export(tmp_path, shapes))

    assert dataset.images[0].instances == ()
    assert sum(entry.count for entry in account.lost) == 13
    assert account.lost[0].places == [f"{tmp_path}/annotations.xml, a.png, box 0"]
    assert {entry.kind: entry.count for entry in account.lost}[
        "mask that does not fit its image"
    ] == 2


def test_subsets_are_splits_and_images_may_lie_elsewhere(tmp_path: Path) -> None:
    root = _export(tmp_path / "set", POLYGON, more='subset="Validation"')
    assert _read(root)[0].images[0].split == "val"

    (root / "images").rename(tmp_path / "pictures")
    assert _read(root)[1].lost[0].kind == "image that is missing"
    assert _read(root, tmp_path / "pictures")[0].images[0].file_name == "a.png"


@pytest.mark.parametrize("name", ["../../secret.png", "/secret.png"])
def test_nothing_outside_the_folder_is_read(tmp_path: Path, name: str) -> None:
    draw_picture(tmp_path / "secret.png")

    dataset, account = _read(_export(tmp_path / "a" / "set", POLYGON, name))

    assert dataset.images == ()
    assert account.lost[0].kind == "image that is missing"


def test_entities_are_refused_before_they_expand(tmp_path: Path) -> None:
    levels = "".join(
        f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(12)
    )
    (tmp_path / "annotations.xml").write_text(
        f'<!DOCTYPE a [<!ENTITY a "ha">{levels}]><annotations>&m;</annotations>'
    )

    with pytest.raises(DatasetError, match="declares a document type"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<annotations><image>", "is not valid XML"),
        ("<html></html>", "is not an export of CVAT"),
    ],
)
def test_other_xml_is_an_error_that_names_the_file(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "annotations.xml").write_text(text)

    with pytest.raises(DatasetError, match=rf"annotations\.xml {problem}"):
        _read(tmp_path)


def test_one_file_a_subset_as_datumaro_writes(tmp_path: Path) -> None:
    for subset in ("train", "val"):
        root = _export(tmp_path, POLYGON)
        (root / "annotations.xml").rename(root / f"{subset}.xml")

    dataset, _ = _read(tmp_path)

    assert [image.split for image in dataset.images] == ["train", "val"]
    assert dataset.class_names == ("dog", "cat")


def test_tracks_of_a_video_are_counted(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text('<annotations><track id="0"/></annotations>')

    assert _read(tmp_path)[1].lost[0].kind == "track of a video"
