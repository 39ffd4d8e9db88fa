from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.labelme import read_labelme
from segtune.progress import SilentReporter
from tests.formats.labelled import (
    SIZE,
    Bitmap,
    corners,
    draw_picture,
    iou,
    labelme_document,
    labelme_folder,
    mask_shape,
    rectangle_bitmap,
    ring,
    shape,
    write_json,
)


def _read(folder: Path) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    return read_labelme(folder, account, reporter=SilentReporter()), account


def _bitmaps(dataset: AnnotatedDataset) -> list[tuple[str, Bitmap]]:
    return [
        (instance.class_name, masks.rasterise(instance.segmentation, image.size_hw))
        for image in dataset.images
        for instance in image.instances
    ]


def _lost(account: Account) -> dict[str, int]:
    return {entry.kind: entry.count for entry in account.lost}


def test_polygons_and_rectangles_become_rings_of_the_same_points(tmp_path: Path) -> None:
    shapes = [
        shape("cat", [[1, 2], [9.5, 2], [5, 8.25]]),
        shape("dog", [[30, 40], [20, 10]], "rectangle"),  # from the lower right corner
        shape("dog", corners(40, 10, 50, 20), "rectangle"),  # four points, as X-AnyLabeling
    ]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    assert [one.segmentation for one in dataset.images[0].instances] == [
        [[1, 2, 9.5, 2, 5, 8.25]],
        [ring(20, 10, 30, 40)],
        [ring(40, 10, 50, 20)],
    ]
    assert dataset.class_names == ("cat", "dog")
    assert account.carried == {"polygon shape": 1, "rectangle shape": 2}
    assert account.lost == account.notes == ()


def test_a_circle_covers_the_pixels_whose_centres_are_in_it(tmp_path: Path) -> None:
    dataset, _ = _read(labelme_folder(tmp_path, [shape("coin", [[40, 30], [60, 30]], "circle")]))

    rows, columns = np.indices(SIZE) + 0.5
    disc = (columns - 40) ** 2 + (rows - 30) ** 2 <= 20**2
    # pycocotools rounds corners to fifths of a pixel, which the edge shows.
    assert iou(_bitmaps(dataset)[0][1], disc) > 0.985


def test_shapes_without_area_are_counted_with_their_places(tmp_path: Path) -> None:
    kinds = ["line", "linestrip", "point", "points"]
    shapes = [shape("cat", [[1, 1], [5, 5]], kind) for kind in kinds]

    dataset, account = _read(labelme_folder(tmp_path, [*shapes, shape("cat", corners(1, 1, 5, 5))]))

    assert len(dataset.images[0].instances) == 1
    assert _lost(account) == {f"{kind} shape, which has no area": 1 for kind in kinds}
    assert account.lost[1].places == [f"{tmp_path}/a.json, shapes[1], cat"]


def test_a_group_is_one_instance_of_several_rings(tmp_path: Path) -> None:
    shapes = [
        shape("cat", corners(1, 1, 5, 5), group_id=1),
        shape("cat", corners(20, 1, 25, 5)),
        shape("cat", corners(11, 1, 15, 5), group_id=1),
    ]

    dataset, _ = _read(labelme_folder(tmp_path, shapes))

    assert [one.segmentation for one in dataset.images[0].instances] == [
        [ring(1, 1, 5, 5), ring(11, 1, 15, 5)],
        [ring(20, 1, 25, 5)],
    ]


def test_a_group_of_two_labels_is_two_instances_and_noted(tmp_path: Path) -> None:
    shapes = [
        shape("cat", corners(1, 1, 5, 5), group_id=7),
        shape("dog", corners(11, 1, 15, 5), group_id=7),
    ]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    assert [one.class_name for one in dataset.images[0].instances] == ["cat", "dog"]
    assert [(note.count, note.places) for note in account.notes] == [
        (1, [f"{tmp_path}/a.json, group 7: cat, dog"])
    ]


@pytest.mark.parametrize(
    "hole",
    [
        shape("_background_", corners(12, 12, 18, 18)),
        shape("_background_", corners(12, 12, 18, 18), group_id=1),
        shape("ring", corners(12, 12, 18, 18), group_id=1, difficult=True),
        shape("ring", corners(12, 12, 18, 18), group_id=1, flags={"hole": True}),
        mask_shape("_background_", 12, 12, np.ones((6, 6), bool)),
    ],
    ids=["background", "background of the group", "difficult", "flag", "painted background"],
)
def test_holes_are_cut_out_and_only_the_cut_instance_becomes_rle(
    tmp_path: Path, hole: dict[str, Any]
) -> None:
    shapes = [
        shape("ring", corners(10, 10, 20, 20), group_id=1),
        shape("other", corners(40, 10, 50, 20), group_id=2),
        hole,
    ]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    (name, holed), (_, other) = _bitmaps(dataset)
    assert name == "ring"
    expected = rectangle_bitmap(10, 10, 20, 20) & ~rectangle_bitmap(12, 12, 18, 18)
    np.testing.assert_array_equal(holed, expected)
    np.testing.assert_array_equal(other, rectangle_bitmap(40, 10, 50, 20))
    ring_instance, other_instance = dataset.images[0].instances
    assert isinstance(ring_instance.segmentation, dict)
    assert isinstance(other_instance.segmentation, list)
    assert account.lost == ()


def test_a_hole_may_stand_before_its_outline(tmp_path: Path) -> None:
    shapes = [
        shape("ring", corners(12, 12, 18, 18), group_id=1, difficult=True),
        shape("ring", corners(10, 10, 20, 20), group_id=1),
    ]

    dataset, _ = _read(labelme_folder(tmp_path, shapes))

    expected = rectangle_bitmap(10, 10, 20, 20) & ~rectangle_bitmap(12, 12, 18, 18)
    np.testing.assert_array_equal(_bitmaps(dataset)[0][1], expected)


def test_difficult_shapes_are_no_holes_where_nothing_is_around_them(tmp_path: Path) -> None:
    shapes = [
        shape("cat", corners(1, 1, 5, 5), difficult=True),
        shape("cat", corners(10, 10, 20, 20), group_id=1, difficult=True),
    ]

    dataset, _ = _read(labelme_folder(tmp_path, shapes))

    assert [int(bitmap.sum()) for _, bitmap in _bitmaps(dataset)] == [16, 100]


def test_background_over_nothing_is_counted(tmp_path: Path) -> None:
    shapes = [
        shape("_background_", corners(1, 1, 5, 5)),  # drawn before the cat: cuts nothing
        shape("cat", corners(1, 1, 5, 5)),
        shape("__ignore__", corners(30, 30, 35, 35)),
    ]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    assert [int(bitmap.sum()) for _, bitmap in _bitmaps(dataset)] == [16]
    assert _lost(account) == {
        "shape labelled '__ignore__'": 1,
        "_background_ shape that covers no instance": 1,
    }


def test_painted_masks_keep_every_pixel_and_are_cut_at_the_edge(tmp_path: Path) -> None:
    small = np.zeros((4, 6), bool)
    small[1, 2] = small[3, 5] = True
    shapes = [
        mask_shape("speck", 10, 20, small),
        mask_shape("speck", 78, 57, np.ones((4, 6), bool)),
    ]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    (_, inside), (_, at_edge) = _bitmaps(dataset)
    assert np.argwhere(inside).tolist() == [[21, 12], [23, 15]]
    np.testing.assert_array_equal(at_edge, rectangle_bitmap(78, 57, 80, 60))
    assert account.carried == {"mask shape": 2}


@pytest.mark.parametrize(
    ("stated", "there"),
    [
        ("a.png", "a.png"),
        ("..\\pictures\\a.png", "pictures/a.png"),
        ("../pictures/a.png", "pictures/a.png"),
        ("C:\\Users\\me\\data\\a.png", "json/a.png"),
        ("\\\\server\\share\\a.png", "json/a.png"),
        ("/home/me/a.png", "json/a.png"),
        ("old_name.png", "json/a.png"),  # both files were renamed
        ("../../../../etc/a.png", "json/a.png"),
    ],
)
def test_pictures_are_found_however_the_path_is_written(
    tmp_path: Path, stated: str, there: str
) -> None:
    picture = draw_picture(tmp_path / (there if "/" in there else f"json/{there}"))
    write_json(
        tmp_path / "json/a.json", labelme_document([shape("x", corners(1, 1, 5, 5))], stated)
    )

    dataset, account = _read(tmp_path)

    assert dataset.images[0].source == picture
    assert account.lost == ()


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    draw_picture(tmp_path / "secret.png")
    document = labelme_document([shape("x", corners(1, 1, 5, 5))], "../secret.png")
    write_json(tmp_path / "set" / "a.json", document)

    dataset, account = _read(tmp_path / "set")

    assert dataset.images == ()
    assert _lost(account) == {"image that is missing": 1}


@pytest.mark.parametrize("stated", ["C:\\data\\a.png", "a.bmp"])
def test_an_embedded_picture_is_taken_where_there_is_no_file(tmp_path: Path, stated: str) -> None:
    content = draw_picture(tmp_path / "elsewhere.png").read_bytes()
    data = base64.b64encode(content).decode()
    document = labelme_document([shape("x", corners(1, 1, 5, 5))], stated, imageData=data)
    write_json(tmp_path / "set" / "b.json", document)

    dataset, account = _read(tmp_path / "set")

    assert dataset.images[0].source == content
    assert dataset.images[0].file_name == "a.png"  # what it is, not what it was
    assert dataset.images[0].size_hw == SIZE
    assert account.carried["picture taken out of its JSON file"] == 1


@pytest.mark.parametrize("data", ["####", base64.b64encode(b"no picture").decode()])
def test_a_damaged_embedded_picture_is_counted(tmp_path: Path, data: str) -> None:
    write_json(tmp_path / "a.json", labelme_document([], imageData=data))

    dataset, account = _read(tmp_path)

    assert dataset.images == ()
    assert _lost(account) == {"embedded picture that is damaged": 1}


def test_labels_that_differ_in_case_or_blanks_are_reported_and_kept(tmp_path: Path) -> None:
    shapes = [shape(label, corners(1, 1, 5, 5)) for label in ("Cat", "cat", "cat ", "dog")]

    dataset, account = _read(labelme_folder(tmp_path, shapes))

    assert dataset.class_names == ("Cat", "cat", "cat ", "dog")
    assert account.notes[0].places == ["'Cat', 'cat', 'cat '"]


def test_labels_txt_gives_order_and_classes_that_nothing_shows(tmp_path: Path) -> None:
    labelme_folder(tmp_path, [shape("ant", corners(1, 1, 5, 5)), shape("bee", corners(1, 1, 5, 5))])
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nbee\nwasp\n")

    assert _read(tmp_path)[0].class_names == ("bee", "wasp", "ant")


def test_folders_called_after_splits_are_splits_and_pictures_alone_are_counted(
    tmp_path: Path,
) -> None:
    labelme_folder(tmp_path / "train", [shape("x", corners(1, 1, 5, 5))])
    labelme_folder(tmp_path / "Valid", [], name="b")
    draw_picture(tmp_path / "train" / "not_done_yet.png")

    dataset, account = _read(tmp_path)

    assert sorted((image.file_name, image.split) for image in dataset.images) == [
        ("Valid/b.png", "val"),
        ("train/a.png", "train"),
    ]
    assert _lost(account) == {"picture without a JSON file": 1}


def test_a_file_of_another_size_than_stated_is_noted(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    write_json(tmp_path / "a.json", labelme_document([], size_hw=(80, 60)))

    dataset, account = _read(tmp_path)

    assert dataset.images[0].size_hw == SIZE
    assert account.notes[0].places == [f"{tmp_path}/a.json: stated 60 x 80, is 80 x 60"]


def test_shapes_that_are_no_shapes_are_counted(tmp_path: Path) -> None:
    faulty: list[Any] = [
        None,
        {"points": []},
        shape("x", [["a", 1]]),  # type: ignore[list-item]
        shape("x", [[1, 1], [float("nan"), 2], [3, 3]]),
        shape("x", [[1, 1], [2, 2]]),
        shape("x", [[1, 1]], "circle"),
        shape("x", [[1, 1], [10**400, 1]], "circle"),
        shape("x", [[1, 1], [1e9, 1e9], [1, 1e9]]),
        shape("x", [[1, 1], [2, 2]], "mask", mask="####"),
        mask_shape("x", 100, 100, np.ones((2, 2), bool)),
    ]

    dataset, account = _read(labelme_folder(tmp_path, faulty))

    assert dataset.images[0].instances == ()
    assert _lost(account) == {
        "shape without a label": 2,
        "shape whose points are no list of [x, y]": 1,
        "polygon with a coordinate that is not a finite number": 2,
        "polygon of fewer than three points": 1,
        "circle with 1 points": 1,
        "polygon far outside its image": 1,
        "mask shape whose picture is damaged": 1,
        "mask without a pixel on its image": 1,
    }


def test_broken_json_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"shapes": [')

    with pytest.raises(DatasetError, match=r"a\.json is not valid JSON"):
        _read(tmp_path)


def test_other_json_files_and_empty_folders(tmp_path: Path) -> None:
    assert _read(tmp_path)[0].images == ()

    write_json(tmp_path / "settings.json", {"colour": "blue"})
    dataset, account = _read(tmp_path)

    assert dataset.images == ()
    assert account.notes[0].places == [f"{tmp_path}/settings.json"]
