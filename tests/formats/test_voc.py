from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset
from segtune.formats.index_pictures import read_index_picture, voc_colours
from segtune.formats.voc import VOC_CLASSES, read_voc
from segtune.progress import SilentReporter
from tests.formats.labelled import SIZE, draw_picture, rectangle_bitmap

DOG, CAT = VOC_CLASSES.index("dog") + 1, VOC_CLASSES.index("cat") + 1


def _read(source: Path) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    return read_voc(source, account, reporter=SilentReporter()), account


def _save(path: Path, numbers: np.ndarray, *, coloured: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour_of = {index: colour for colour, index in voc_colours().items()}
    palette = [channel for index in range(256) for channel in colour_of[index]]
    picture = Image.fromarray(numbers.astype(np.uint8), mode=None)
    picture.putpalette(palette)
    (picture.convert("RGB") if coloured else picture).save(path)


def _folder(root: Path, *, coloured: bool = False) -> Path:
    """Draw an image with a dog and a cat side by side, and one without masks."""
    draw_picture(root / "JPEGImages" / "2007_01.jpg")
    draw_picture(root / "JPEGImages" / "2007_02.jpg", seed=1)
    objects, classes = np.zeros(SIZE, int), np.zeros(SIZE, int)
    for number, index, left in ((1, DOG, 5), (2, CAT, 40)):
        border = rectangle_bitmap(left - 1, 9, left + 11, 21)
        inside = rectangle_bitmap(left, 10, left + 10, 20)
        objects[border] = classes[border] = 255
        objects[inside], classes[inside] = number, index
    _save(root / "SegmentationObject" / "2007_01.png", objects, coloured=coloured)
    _save(root / "SegmentationClass" / "2007_01.png", classes, coloured=coloured)
    sets = root / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("2007_01\n")
    (sets / "val.txt").write_text("2007_02\n")
    (sets / "trainval.txt").write_text("2007_01\n2007_02\n")
    return root


@pytest.mark.parametrize("coloured", [False, True], ids=["palette", "colours"])
def test_instances_are_those_of_the_object_picture_without_void(
    tmp_path: Path, coloured: bool
) -> None:
    dataset, account = _read(_folder(tmp_path, coloured=coloured))

    assert dataset.class_names == VOC_CLASSES
    first, second = dataset.images
    assert [(image.file_name, image.split) for image in dataset.images] == [
        ("2007_01.jpg", "train"),
        ("2007_02.jpg", "val"),
    ]
    assert [one.class_name for one in first.instances] == ["dog", "cat"]
    for one, left in zip(first.instances, (5, 40), strict=True):
        expected = rectangle_bitmap(left, 10, left + 10, 20)
        np.testing.assert_array_equal(masks.rasterise(one.segmentation, SIZE), expected)
    assert second.instances == ()
    assert account.carried == {"instance of a mask picture": 2}
    assert [entry.kind for entry in account.lost] == ["void pixels (255) of an image"]


def test_labelmap_of_cvat_gives_classes_by_colour(tmp_path: Path) -> None:
    root = _folder(tmp_path, coloured=True)
    colour_of = {index: colour for colour, index in voc_colours().items()}
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    for name, index in (("tabby", CAT), ("hound", DOG), ("void", 255)):
        lines.append(f"{name}:{','.join(map(str, colour_of[index]))}::")
    (root / "labelmap.txt").write_text("\n".join(lines))

    dataset, _ = _read(root)

    assert dataset.class_names == ("tabby", "hound", "void")
    assert [one.class_name for one in dataset.images[0].instances] == ["hound", "tabby"]


def test_labelmap_of_datumaro_may_leave_colours_to_the_palette(tmp_path: Path) -> None:
    root = _folder(tmp_path, coloured=True)
    names = ["background", *(f"class {number}" for number in range(1, DOG + 1))]
    (root / "labelmap.txt").write_text("".join(f"{name}:::\n" for name in names))

    dataset, _ = _read(root)

    found = [one.class_name for one in dataset.images[0].instances]
    assert found == [f"class {DOG}", f"class {CAT}"]

    (root / "labelmap.txt").write_text("background:0,0:0::\n")
    with pytest.raises(DatasetError, match=r"a line of labelmap\.txt"):
        _read(root)


def test_class_names_of_labelme_and_instances_of_no_class(tmp_path: Path) -> None:
    root = _folder(tmp_path)
    names = ["__ignore__", "_background_", *(f"class {number}" for number in range(1, DOG))]
    (root / "class_names.txt").write_text("\n".join(names))

    dataset, account = _read(root)

    assert [one.class_name for one in dataset.images[0].instances] == [f"class {CAT}"]
    assert account.lost[-1].kind == "instance of a class without a name"


def test_without_image_sets_there_are_no_splits(tmp_path: Path) -> None:
    root = _folder(tmp_path)
    for path in (root / "ImageSets" / "Segmentation").iterdir():
        path.unlink()

    dataset, _ = _read(root)

    assert [(image.file_name, image.split) for image in dataset.images] == [("2007_01.jpg", None)]


def test_a_mask_of_another_size_is_counted(tmp_path: Path) -> None:
    root = _folder(tmp_path)
    _save(root / "SegmentationObject" / "2007_01.png", np.zeros((5, 5), int))

    dataset, account = _read(root)

    assert [image.file_name for image in dataset.images] == ["2007_02.jpg"]
    assert account.lost[0].kind == "mask of another size than its image"


def test_the_palette_is_that_of_pascal_voc() -> None:
    # http://host.robots.ox.ac.uk/pascal/VOC/voc2012/segexamples/
    colours = voc_colours()
    assert [colours[key] for key in ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))] == [
        0,
        1,
        2,
        3,
    ]
    assert colours[(64, 0, 128)] == DOG
    assert colours[(224, 224, 192)] == 255
    assert len(colours) == 256


def test_unknown_colours_and_damaged_pictures_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((2, 2, 3), (1, 2, 3), np.uint8)).save(path)
    with pytest.raises(DatasetError, match="a colour that stands for no class"):
        read_index_picture(path)

    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match="cannot be read as a picture"):
        read_index_picture(path)


def test_a_folder_without_masks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no SegmentationObject folder"):
        _read(tmp_path)
