"""Damaged annotation files: findings or records, never a traceback, and never for long."""

from __future__ import annotations

import copy
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from segtune.cli.app import app
from segtune.data.checks import check_split
from segtune.data.coco import CocoDataset
from segtune.data.dataset import TrainingSet
from segtune.data.loader import BatchLoader
from segtune.preprocess import PreprocessSpec
from segtune.progress import SilentReporter
from segtune.recipe import AugmentRecipe
from tests.data.mutation import DEEP, mutate

NUM_FILES = 1000
MAX_SECONDS = 30.0
MAX_BYTES = 2 * 1024**3
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes
HEIGHT, WIDTH = 48, 64
_SPEC = PreprocessSpec(size_hw=(64, 64))
_DISC = [30.5, 10.0, 40.0, 14.5, 44.0, 24.0, 40.0, 33.5, 30.5, 38.0, 21.0, 33.5, 17.0, 24.0]
_CORNER = [0.0, 0.0, 9.5, 0.0, 9.5, 7.5, 0.0, 7.5]
_DOCUMENT: dict[str, Any] = {
    "info": {"description": "two classes", "year": 2026},
    "images": [
        {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
        {"id": 2, "file_name": "sub/b.png", "height": HEIGHT, "width": WIDTH},
        {"id": 3, "file_name": "sub/c.png", "height": HEIGHT, "width": WIDTH},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [_DISC],
            "bbox": [17.0, 10.0, 27.0, 28.0],
            "area": 560.0,
            "iscrowd": 0,
        },
        {
            "id": 2,
            "image_id": 1,
            "category_id": 2,
            "segmentation": [_CORNER, [50, 40, 63, 40, 63, 47]],
            "bbox": [0, 0, 63, 47],
            "area": 116,
            "iscrowd": 0,
        },
        {
            "id": 3,
            "image_id": 2,
            "category_id": 2,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": [490, 12, 36, 12, 2522]},
            "bbox": [10, 10, 2, 12],
            "area": 24,
            "iscrowd": 0,
        },
        {
            "id": 4,
            "image_id": 2,
            "category_id": 1,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": "Z]1<T100000f\\1"},
            "bbox": [30, 10, 4, 12],
            "area": 48,
            "iscrowd": 1,
        },
    ],
    "categories": [{"id": 1, "name": "date"}, {"id": 2, "name": "fig"}],
}


def document() -> dict[str, Any]:
    """Return three images; polygons on the first, both kinds of RLE on the second."""
    return copy.deepcopy(_DOCUMENT)


def picture_folder(root: Path) -> Path:
    """Return a folder with the pictures of the document."""
    for number, name in enumerate(("a.png", "sub/b.png", "sub/c.png")):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (90 + number, 120, 60)).save(path)
    return root / "images"


@pytest.mark.parametrize("first", range(0, NUM_FILES, 100))
def test_damage_causes_findings_only_and_what_passes_can_be_trained_on(
    first: int, tmp_path: Path
) -> None:
    images, file = picture_folder(tmp_path), tmp_path / "instances.json"
    num_passed = 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(first, first + 100):
        file.write_bytes(mutate(document(), seed))
        begun = time.monotonic()

        found = check_split(file, images, reporter=SilentReporter())

        assert time.monotonic() - begun < MAX_SECONDS, seed
        for finding in found.findings:
            "\n".join((*finding.places, finding.message, finding.remedy)).encode("utf-8")
        if found.dataset is not None:
            num_passed += 1
            load_all(found.dataset, seed)
    assert 0 < num_passed < 100
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert growth * RSS_UNIT < MAX_BYTES


@pytest.mark.parametrize("fix", [False, True], ids=["check as table", "fix as json"])
def test_the_command_never_shows_a_traceback(fix: bool, tmp_path: Path) -> None:
    root = tmp_path / "set"
    picture_folder(root)
    (root / "annotations").mkdir()
    val = root / "annotations" / "instance_val.json"
    val.write_text(json.dumps(document()), encoding="utf-8")
    statuses = set()
    for seed in range(0, NUM_FILES, NUM_FILES // 50):
        train = root / "annotations" / "instance_train.json"
        train.write_bytes(mutate(document(), seed))
        options = ["--json", "--fix", str(tmp_path / f"copy_{seed}")] if fix else []

        shown = CliRunner().invoke(app, ["check-dataset", str(root), *options])

        assert shown.exit_code in ((0, 1, 2) if fix else (0, 1)), seed
        assert shown.exception is None or isinstance(shown.exception, SystemExit), seed
        assert "Traceback" not in shown.output, seed
        if fix and shown.exit_code < 2:
            assert json.loads(shown.stdout)["verdict"] in ("pass", "fail")
        statuses.add(shown.exit_code)
    assert {0, 1} <= statuses


def many(section: str, number: int, **values: Any) -> dict[str, Any]:
    """Return the document with so many more copies of the first entry of a list."""
    found = document()
    first = found[section][0]
    found[section] += [first | values | {"id": 100 + turn} for turn in range(number)]
    return found


def drawn_as(segmentation: Any, **image: Any) -> dict[str, Any]:
    """Return the document with another first mask and without its area, which then is measured."""
    found = document()
    found["images"][0] |= image
    found["annotations"][0]["segmentation"] = segmentation
    del found["annotations"][0]["area"]
    return found


HUGE = {"height": 65535, "width": 65535}
OFFENDERS: dict[str, Callable[[], bytes]] = {
    "lists in lists": lambda: b"[" * DEEP + b"]" * DEEP,
    "objects in objects": lambda: b'{"images":' * DEEP + b"1" + b"}" * DEEP,
    "a bbox of lists in lists": lambda: as_json(document()).replace(
        b"[17.0, 10.0, 27.0, 28.0]", b"[" * DEEP + b"]" * DEEP
    ),
    "a number of a million digits": lambda: b'{"images":' + b"9" * 1_000_000 + b"}",
    "a thousand numbers of 4300 digits": lambda: as_json(
        drawn_as([[10**4299] * 1000])  # just what Python still reads
    ),
    "20,000 instances of one image": lambda: as_json(many("annotations", 20_000)),
    "20,000 images of one file": lambda: as_json(many("images", 20_000)),
    "100,000 rings": lambda: as_json(drawn_as([[1, 1, 9, 1, 9, 9]] * 100_000)),
    "a ring of a million points": lambda: as_json(
        drawn_as([[value for turn in range(500_000) for value in (turn % 2, 5, 9, 20)]])
    ),
    "a zigzag over a large image": lambda: as_json(
        drawn_as([[0, 0, 4000, 3000] * 20_000], height=3000, width=4000)
    ),
    "a square on the largest image": lambda: as_json(
        drawn_as([[0, 0, 65535, 0, 65535, 65535, 0, 65535]], **HUGE)
    ),
    "a million runs": lambda: as_json(
        drawn_as(
            {"size": [65535, 65535], "counts": [1] * 1_000_000 + [65535**2 - 1_000_000]}, **HUGE
        )
    ),
    "a million characters of runs": lambda: as_json(
        drawn_as({"size": [65535, 65535], "counts": "11" * 500_000}, **HUGE)
    ),
    "10,000 different categories": lambda: as_json(
        document()
        | {"categories": [{"id": turn, "name": f"class {turn}"} for turn in range(10_000)]}
    ),
}
_CHILD = """
import resource, sys
from pathlib import Path
from segtune.data.checks import check_split
from segtune.progress import SilentReporter
check_split(Path(sys.argv[1]), Path(sys.argv[2]), reporter=SilentReporter())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("case", OFFENDERS)
def test_the_worst_files_take_neither_long_nor_much(case: str, tmp_path: Path) -> None:
    images, file = picture_folder(tmp_path), tmp_path / "instances.json"
    file.write_bytes(OFFENDERS[case]())

    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(file), str(images)],
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )

    assert child.returncode == 0, child.stderr
    assert int(child.stdout) * RSS_UNIT < MAX_BYTES


def as_json(value: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(value).encode()


def load_all(dataset: CocoDataset, seed: int) -> None:
    """Load every sample of a dataset as training does, and look whether it makes sense."""
    training_set = TrainingSet(dataset, _SPEC, AugmentRecipe(), mask_stride=4, seed=seed)
    num_images = 0
    with BatchLoader(training_set, batch_size=1, seed=seed, workers=0) as loader:
        for batch in loader.epoch(0):
            num_images += len(batch.image_ids)
            assert np.isfinite(batch.images).all()
            boxes = batch.boxes[batch.valid]
            assert np.isfinite(boxes).all()
            assert ((boxes >= 0) & (boxes <= 64)).all()
            assert (boxes[:, 2:] >= boxes[:, :2]).all()
            labels = batch.labels[batch.valid]
            assert ((labels >= 0) & (labels < len(dataset.categories))).all()
    assert num_images == len(dataset.images)
