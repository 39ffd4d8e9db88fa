"""Sources with bytes changed, cut off or swapped: an error for the user or a conversion."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtune.convert import convert
from segtune.errors import SegtuneError
from segtune.formats.guess import SourceFormat
from tests.drawing import draw_coco
from tests.formats.labelled import corners, draw_picture, labelme_folder, mask_shape, shape

NUM_MUTATIONS = 25  # of each format; 600 of each passed when this was written
TOKENS = [
    "null",
    "-1",
    "1e999",
    "NaN",
    "[]",
    "{}",
    '"x"',
    "99999999999",
    "true",
    "\ud7ff",
    "&a;",
    "<a>",
]


def _labelme(root: Path) -> None:
    shapes = [
        shape("cat", corners(1, 1, 9, 9), group_id=1),
        mask_shape("cat", 20, 20, np.ones((5, 7), bool), group_id=1),
        shape("dog", [[30, 30], [35, 30]], "circle"),
        shape("_background_", corners(2, 2, 5, 5)),
    ]
    labelme_folder(root, shapes)


def _coco(root: Path) -> None:
    draw_coco(root, train=4, val=1)


def _cvat(root: Path) -> None:
    draw_picture(root / "images" / "a.png")
    (root / "annotations.xml").write_text(
        "<annotations><meta><labels><label><name>cat</name></label></labels></meta>"
        '<image name="a.png" width="80" height="60">'
        '<polygon label="cat" points="1,1;5,1;5,5" group_id="1"/>'
        '<mask label="cat" rle="1, 2, 1" left="9" top="9" width="2" height="2" group_id="1"/>'
        '<ellipse label="dog" cx="40" cy="30" rx="9" ry="5"/></image></annotations>'
    )


def _yolo(root: Path) -> None:
    draw_picture(root / "images" / "train" / "a.png")
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nnames: {0: cat}\n")


def _voc(root: Path) -> None:
    draw_picture(root / "JPEGImages" / "a.png")
    numbers = np.zeros((60, 80), np.uint8)
    numbers[5:20, 5:20] = 1
    for folder in ("SegmentationObject", "SegmentationClass"):
        (root / folder).mkdir()
        Image.fromarray(numbers).save(root / folder / "a.png")


SOURCES: dict[SourceFormat, Callable[[Path], None]] = {
    "labelme": _labelme,
    "coco": _coco,
    "cvat": _cvat,
    "yolo": _yolo,
    "voc": _voc,
}


def _damage(path: Path, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    at = generator.randrange(len(content))
    kind = generator.randrange(4)
    if kind == 0:
        del content[at:]
    elif kind == 1:
        content[at] = generator.randrange(256)
    elif kind == 2:
        del content[at : at + generator.randrange(1, 30)]
    else:
        end = at + generator.randrange(0, 12)
        content[at:end] = generator.choice(TOKENS).encode()
    path.write_bytes(content)


@pytest.mark.parametrize("source_format", list(SOURCES))
def test_damage_is_an_error_for_the_user_or_does_no_harm(
    tmp_path: Path, source_format: SourceFormat
) -> None:
    SOURCES[source_format](tmp_path / "sound")
    convert(tmp_path / "sound", tmp_path / "out", source_format=source_format)
    shutil.rmtree(tmp_path / "out")
    found = (tmp_path / "sound").rglob("*.*")
    files = sorted(path.relative_to(tmp_path / "sound") for path in found if path.is_file())
    for seed in range(NUM_MUTATIONS):
        generator = random.Random(f"{source_format} {seed}")
        shutil.copytree(tmp_path / "sound", tmp_path / "in")
        _damage(tmp_path / "in" / generator.choice(files), generator)
        with suppress(SegtuneError):  # anything else fails the test
            convert(tmp_path / "in", tmp_path / "out", source_format=source_format)
            shutil.rmtree(tmp_path / "out")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "sound"]
        shutil.rmtree(tmp_path / "in")
