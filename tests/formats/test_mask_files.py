from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.mask_files import has_mask_folders, read_mask_files
from segtune.progress import SilentReporter
from tests.formats.labelled import SIZE, draw_picture, rectangle_bitmap

BITMAP = rectangle_bitmap(5, 5, 20, 20)


def _read(source: Path, class_name: str | None = None) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    read = read_mask_files(source, account, class_name=class_name, reporter=SilentReporter())
    return read, account


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def _classes(dataset: AnnotatedDataset) -> dict[str, list[str]]:
    return {
        image.file_name: [one.class_name for one in image.instances] for image in dataset.images
    }


def test_the_data_science_bowl_has_a_folder_an_image(tmp_path: Path) -> None:
    for stem in ("00ae65", "0a7d30"):
        draw_picture(tmp_path / "stage1_train" / stem / "images" / f"{stem}.png")
        for number in range(2):
            _save(tmp_path / "stage1_train" / stem / "masks" / f"{number}f.png", BITMAP * 255)

    dataset, account = _read(tmp_path, "nucleus")

    assert _classes(dataset) == {
        "stage1_train/00ae65.png": ["nucleus", "nucleus"],
        "stage1_train/0a7d30.png": ["nucleus", "nucleus"],
    }
    mask = masks.rasterise(dataset.images[0].instances[0].segmentation, SIZE)
    np.testing.assert_array_equal(mask, BITMAP)
    assert account.carried == {"mask picture": 4}


def test_a_folder_of_masks_an_image(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images" / "a.jpg")
    draw_picture(tmp_path / "images" / "b.jpg", seed=1)
    for name in ("cat_1", "cat_2", "traffic_light_1", "dog"):
        _save(tmp_path / "masks" / "a" / f"{name}.png", BITMAP)
    _save(tmp_path / "masks" / "c" / "cat_1.png", BITMAP)

    dataset, account = _read(tmp_path)

    assert _classes(dataset) == {"a.jpg": ["cat", "cat", "dog", "traffic_light"], "b.jpg": []}
    assert dataset.class_names == ("cat", "dog", "traffic_light")
    assert [entry.places for entry in account.lost] == [[f"{tmp_path}/masks/c"]]


def test_all_masks_in_one_folder_go_to_the_longest_name_that_fits(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images" / "a.jpg")
    draw_picture(tmp_path / "images" / "a_1.jpg", seed=1)
    for name in ("a_cat_0", "a_1_dog_0", "x_dog_0"):
        _save(tmp_path / "masks" / f"{name}.png", BITMAP)

    dataset, account = _read(tmp_path)

    assert _classes(dataset) == {"a.jpg": ["cat"], "a_1.jpg": ["dog"]}
    assert account.lost[0].places == [f"{tmp_path}/masks/x_dog_0.png"]


def test_folders_called_after_splits_are_splits(tmp_path: Path) -> None:
    for folder in ("train", "validation"):
        draw_picture(tmp_path / folder / "images" / "a.png")
        _save(tmp_path / folder / "masks" / "a" / "cat_1.png", BITMAP)

    dataset, _ = _read(tmp_path)

    assert [(image.file_name, image.split) for image in dataset.images] == [
        ("train/a.png", "train"),
        ("validation/a.png", "val"),
    ]


def test_values_other_than_black_and_white(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images" / "a.png")
    grey = np.where(BITMAP, 255, 0)
    grey[4, 5:20] = 60  # an edge that was smoothed
    folder = tmp_path / "masks" / "a"
    _save(folder / "smooth_1.png", grey)
    _save(folder / "ones_1.png", BITMAP * 1)
    _save(folder / "instances_1.png", BITMAP * 1 + rectangle_bitmap(30, 30, 40, 40) * 2)
    _save(folder / "small_1.png", np.ones((3, 3)))
    _save(folder / "coloured_1.png", np.repeat((BITMAP * 200)[..., None], 3, axis=2))

    dataset, account = _read(tmp_path)

    found = {one.class_name: one.segmentation for one in dataset.images[0].instances}
    assert list(found) == ["coloured", "ones", "smooth"]
    for segmentation in found.values():
        np.testing.assert_array_equal(masks.rasterise(segmentation, SIZE), BITMAP)
    assert {entry.kind: entry.places for entry in account.lost} == {
        "mask of more than two values": [f"{folder}/instances_1.png"],
        "mask of another size than its image": [f"{folder}/small_1.png"],
    }
    assert account.notes[0].places == [f"{folder}/smooth_1.png"]


def test_a_mask_whose_class_nothing_tells_is_an_error(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images" / "a.png")
    _save(tmp_path / "masks" / "a" / "1.png", BITMAP)

    with pytest.raises(DatasetError, match="nothing tells the class of a mask"):
        _read(tmp_path)
    assert _classes(_read(tmp_path, "cell")[0]) == {"a.png": ["cell"]}


def test_an_empty_folder_has_no_masks(tmp_path: Path) -> None:
    assert not has_mask_folders(tmp_path)
    assert _read(tmp_path)[0].images == ()
