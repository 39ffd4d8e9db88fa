from __future__ import annotations

from pathlib import Path

import numpy as np

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.dataset_report.distributions import Distribution
from segtune.dataset_report.loose import LooseSplit
from tests.drawing import write_json


def test_sides_ratios_and_centres_are_those_of_the_masks(tmp_path: Path) -> None:
    ring = [10.0, 10, 40, 10, 40, 20, 10, 20]  # 30 x 10
    rle = {"size": [50, 100], "counts": [50 * 98, 50 * 2]}  # the last two columns
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 50, "width": 100}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [ring], "area": 5},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": rle, "iscrowd": 1},
            {"id": 3, "image_id": 1, "category_id": 1, "segmentation": []},
            {"id": 4, "image_id": 9, "category_id": 1, "segmentation": [ring]},
        ],
        "categories": [{"id": 1, "name": "date"}],
    }
    for split in ("train", "val"):
        write_json(tmp_path / "annotations" / f"instance_{split}.json", document)
    (tmp_path / "images").mkdir()
    files = locate_root(tmp_path)

    measured = Distribution.of(
        LooseSplit(files.train, files.images_root), check_dataset(files).statistics["train"]
    )

    np.testing.assert_allclose(measured.sides_px, [300**0.5, 10])
    np.testing.assert_allclose(measured.ratios, [3, 2 / 50])
    np.testing.assert_allclose(measured.centres_xy, [[0.25, 0.3], [0.99, 0.5]])
    assert measured.per_image.tolist() == [2]


def test_a_file_that_cannot_be_read_has_nothing_to_measure(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_json(tmp_path / "annotations" / f"instance_{split}.json", [])
    (tmp_path / "images").mkdir()
    files = locate_root(tmp_path)

    measured = Distribution.of(
        LooseSplit(files.train, files.images_root), check_dataset(files).statistics["train"]
    )

    assert measured.sides_px.shape == measured.ratios.shape == measured.per_image.shape == (0,)
    assert measured.centres_xy.shape == (0, 2)
