from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance
from segtune.formats.yolo import read_yolo
from segtune.formats.yolo_writer import write_yolo
from segtune.progress import SilentReporter
from tests.formats.labelled import SIZE, draw_picture, iou, rectangle_bitmap, ring

HEIGHT, WIDTH = SIZE  # 60, 80
TRIANGLE = "0 0.25 0.5 0.5 0.5 0.25 0.75\n"  # x 20 to 40, y 30 to 45


def _read(source: Path) -> tuple[AnnotatedDataset, Account]:
    account = Account()
    return read_yolo(source, account, reporter=SilentReporter()), account


def _folder(root: Path, yaml: str, labels: str = TRIANGLE) -> Path:
    draw_picture(root / "images" / "train" / "a.png")
    draw_picture(root / "images" / "val" / "b.png", seed=1)
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text(labels)
    (root / "data.yaml").write_text(yaml)
    return root


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images/train\nval: images/val\nnames: [cat, dog]\n",
        "path: .\ntrain: images/train/\nval: [images/val]\nnames: {0: cat, 1: dog}\nnc: 2\n",
        "path: ../datasets/mine\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n",
        "path: /home/me/data\ntrain: images/train\nvalid: images/val\nnames: [cat, dog]\n",
        "train: ../images/train\nval: ..\\images\\val\ntest: ../test\nnames: [cat, dog]\n",
        "train: /home/me/set/images/train\nval: images/val\nnames: [cat, dog]\n",
    ],
    ids=["plain", "mapping", "other path", "absolute path", "roboflow", "absolute folder"],
)
def test_data_yaml_is_read_as_people_write_it(tmp_path: Path, yaml: str) -> None:
    dataset, account = _read(_folder(tmp_path, yaml))

    assert dataset.class_names == ("cat", "dog")
    assert [(image.file_name, image.split) for image in dataset.images] == [
        ("train/a.png", "train"),
        ("val/b.png", "val"),
    ]
    assert dataset.images[0].instances == (AnnotatedInstance("cat", [[20, 30, 40, 30, 20, 45]]),)
    assert [entry.count for entry in account.lost] == ([1] if "test" in yaml else [])


def test_an_image_without_a_label_file_is_background(tmp_path: Path) -> None:
    dataset, account = _read(_folder(tmp_path, "train: images/train\nval: images/val\nnames: [x]"))

    assert dataset.images[1].instances == ()
    assert account.notes[0].places == [f"{tmp_path}/images/val/b.png"]


def test_a_text_file_may_list_the_images(tmp_path: Path) -> None:
    root = _folder(tmp_path, "train: train.txt\nnames: [x]")
    (root / "train.txt").write_text("./images/train/a.png\n\nimages/train/gone.png\n")

    dataset, account = _read(root / "data.yaml")

    assert [image.file_name for image in dataset.images] == ["train/a.png"]
    assert account.lost[0].places == [f"{root}/train.txt: images/train/gone.png"]


def test_lines_that_are_no_polygons_are_counted_with_their_places(tmp_path: Path) -> None:
    lines = [
        TRIANGLE.strip(),
        "",
        "0 0.5 0.5 0.2 0.2",
        "0 0.5 0.5 0.2 0.2 0.1",
        "5 0.1 0.1 0.2 0.1 0.2 0.2",
        "0 10 10 20 10 20 20",
        "0 nan 0.1 0.2 0.1 0.2 0.2",
        "cat 0.1 0.1 0.2 0.1 0.2 0.2",
    ]
    labels = "\n".join(lines)

    dataset, account = _read(_folder(tmp_path, "train: images/train\nnames: [x]", labels))

    assert len(dataset.images[0].instances) == 1
    file = tmp_path / "labels" / "train" / "a.txt"
    assert {entry.kind: entry.places for entry in account.lost} == {
        "box, which has no mask": [f"{file}, line 3"],
        "polygon with an odd number of coordinates, or fewer than three points": [
            f"{file}, line 4"
        ],
        "class index that `names` does not have": [f"{file}, line 5"],
        "polygon whose coordinates are no fractions between 0 and 1": [f"{file}, line 6"],
        "line that is not made of numbers": [f"{file}, line 7", f"{file}, line 8"],
    }


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("train: images/train\n", "there is no YAML file"),
        ("train: images/train\nnames: {a: cat}", "neither a list of names nor a mapping"),
        ("train: images/train\nnames: [cat, cat]", "two classes have the same name"),
        ("train: [images/train\n", "is not valid YAML"),
    ],
)
def test_a_yaml_file_that_says_too_little_is_an_error(
    tmp_path: Path, yaml: str, problem: str
) -> None:
    with pytest.raises(DatasetError, match=problem):
        _read(_folder(tmp_path, yaml))


def test_folders_outside_are_not_read(tmp_path: Path) -> None:
    draw_picture(tmp_path / "other" / "a.png")

    dataset, account = _read(_folder(tmp_path / "set", "train: ../other\nnames: [x]"))

    assert dataset.images == ()
    assert account.lost[0].places == ["../other"]


def _written(tmp_path: Path, *instances: AnnotatedInstance) -> tuple[list[str], Account]:
    """Return the lines that instances on one image are written as."""
    picture = draw_picture(tmp_path / "a.png")
    image = AnnotatedImage("a.png", picture, SIZE, instances, "a", split="train")
    account = Account()
    folder = tmp_path / "out"
    folder.mkdir()
    names = tuple(dict.fromkeys(one.class_name for one in instances)) or ("x",)
    dataset = AnnotatedDataset(names, (image,))
    write_yolo(dataset, folder, account, link=False, reporter=SilentReporter())
    return (folder / "labels" / "train" / "a.txt").read_text().splitlines(), account


def _bitmap(line: str) -> np.ndarray:
    fractions = np.array(line.split()[1:], float).reshape(-1, 2)
    return masks.rasterise([(fractions * (WIDTH, HEIGHT)).ravel().round(4).tolist()], SIZE)


def test_a_polygon_is_written_as_fractions(tmp_path: Path) -> None:
    lines, account = _written(tmp_path, AnnotatedInstance("x", [[20, 30, 40, 30, 20, 45]]))

    assert lines == ["0 0.25 0.5 0.5 0.5 0.25 0.75"]
    assert account.carried["instances"] == 1
    assert (tmp_path / "out" / "data.yaml").read_text() == "train: images/train\nnames:\n  0: x\n"


def test_rings_of_one_instance_are_joined_without_a_pixel_between_them(tmp_path: Path) -> None:
    rings = [ring(2, 2, 10, 10), ring(30, 2, 40, 10), ring(2, 30, 10, 40)]

    lines, account = _written(tmp_path, AnnotatedInstance("x", rings))

    expected = masks.rasterise(rings, SIZE)
    assert len(lines) == 1
    np.testing.assert_array_equal(_bitmap(lines[0]), expected)
    assert account.notes[0].kind == "several rings, joined by bridges without width"


def test_rings_that_overlap_are_united_and_not_cut_out_of_each_other(tmp_path: Path) -> None:
    rings = [ring(2, 2, 20, 20), ring(10, 10, 30, 30)]

    lines, _ = _written(tmp_path, AnnotatedInstance("x", rings))

    assert iou(_bitmap(lines[0]), masks.rasterise(rings, SIZE)) > 0.98


def test_a_hole_stays_a_hole_and_is_noted(tmp_path: Path) -> None:
    bitmap = rectangle_bitmap(10, 10, 40, 40) & ~rectangle_bitmap(20, 20, 30, 30)

    lines, account = _written(tmp_path, AnnotatedInstance("x", dict(masks.encode(bitmap))))

    assert iou(_bitmap(lines[0]), bitmap) > 0.98
    assert not _bitmap(lines[0])[22:28, 22:28].any()
    kinds = [note.kind for note in account.notes]
    assert kinds[0] == "hole, joined to the outside by a bridge without width"


def test_crowds_and_nothing_at_all(tmp_path: Path) -> None:
    crowd = AnnotatedInstance("x", dict(masks.encode(rectangle_bitmap(0, 0, 9, 9))), is_crowd=True)

    lines, account = _written(tmp_path, crowd)

    assert lines == []
    assert [(entry.kind, entry.count) for entry in account.lost] == [("crowd", 1)]
