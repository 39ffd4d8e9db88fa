from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.errors import ImageError, OutputError
from segtune.images import read_image, write_image
from segtune.inputs import find_inputs
from segtune.outputs import MaskFrame, Outputs
from segtune.predict import predict_with
from segtune.predictor import Predictor
from segtune.preprocess import PreprocessSpec
from segtune.result_files import check_output


class LeftHalf:
    """Finds the left half of every image that is not black, with a score of 0.8."""

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        height, width = images.shape[2:]
        counts = (images.mean(axis=(1, 2, 3)) > 0.1).astype(np.int32)
        total = int(counts.sum())
        logits = np.full((total, height, width), -9, np.float32)
        logits[:, :, : width // 2] = 9
        return Outputs(
            np.tile(np.asarray([0, 0, width / 2, height], np.float32), (total, 1)),
            np.full(total, 0.8, np.float32),
            np.zeros(total, np.int64),
            logits,
            counts,
        )


PREDICTOR = Predictor(
    LeftHalf(), PreprocessSpec(size_hw=(32, 32)), Categories([(7, "lamp")]), MaskFrame.INPUT, "M"
)


def _draw(path: Path, brightness: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((40, 60, 3), brightness, np.uint8))
    return str(path)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """A bright picture, a black one, one that is none, and a bright one of a known stem."""
    broken = tmp_path / "in" / "broken.png"
    bright = _draw(tmp_path / "in" / "a.png", 200)
    broken.write_bytes(b"no picture")
    return [
        bright,
        _draw(tmp_path / "in" / "black.png", 0),
        str(broken),
        _draw(tmp_path / "in" / "deep" / "a.png", 200),
    ]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_picture_gets_its_own_results_and_the_broken_one_is_reported(
    tmp_path: Path, pictures: list[str], batch_size: int
) -> None:
    output = tmp_path / "out"

    summary = predict_with(PREDICTOR, find_inputs(pictures), output=output, batch_size=batch_size)

    assert (summary.num_images, summary.num_instances) == (3, 2)
    assert [place for place, _ in summary.failed] == [pictures[2]]
    assert sorted(path.name for path in output.iterdir()) == [
        "a-2.json",
        "a-2_overlay.jpg",
        "a.json",
        "a_overlay.jpg",
        "black.json",
        "black_overlay.jpg",
        "coco_results.json",
    ]
    found = json.loads((output / "a-2.json").read_text(encoding="utf-8"))
    assert (found["file"], found["image_id"]) == (pictures[3], 4)
    assert (found["height"], found["width"], found["model"]) == (40, 60, "M")
    (instance,) = found["instances"]
    assert (instance["class_name"], instance["category_id"], instance["label"]) == ("lamp", 7, 0)
    np.testing.assert_allclose(instance["box_xyxy"], [0, 0, 30, 40], atol=1e-4)
    assert json.loads((output / "black.json").read_text(encoding="utf-8"))["instances"] == []
    assert read_image(output / "a_overlay.jpg").shape == (40, 60, 3)


def test_coco_results_name_image_and_category(tmp_path: Path, pictures: list[str]) -> None:
    predict_with(PREDICTOR, find_inputs(pictures), output=tmp_path / "out", formats=["coco"])

    results = json.loads((tmp_path / "out" / "coco_results.json").read_text(encoding="utf-8"))
    assert [(each["image_id"], each["category_id"]) for each in results] == [(1, 7), (4, 7)]
    assert [each["file_name"] for each in results] == [pictures[0], pictures[3]]
    np.testing.assert_allclose(results[0]["bbox"], [0, 0, 30, 40], atol=1e-4)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coco_results.json"]


def test_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    black = find_inputs([_draw(tmp_path / "black.png", 0)])

    summary = predict_with(PREDICTOR, black, output=tmp_path / "out")

    assert (summary.num_images, summary.num_instances, summary.failed) == (1, 0, [])
    assert json.loads((tmp_path / "out" / "coco_results.json").read_text("utf-8")) == []


def test_a_threshold_above_every_score_leaves_nothing(tmp_path: Path, pictures: list[str]) -> None:
    summary = predict_with(
        PREDICTOR, find_inputs(pictures[:1]), output=tmp_path / "out", threshold=0.9
    )

    assert summary.num_instances == 0


def test_pictures_of_which_none_can_be_read_leave_nothing_behind(
    tmp_path: Path, pictures: list[str]
) -> None:
    with pytest.raises(ImageError, match="none of the 1 pictures") as caught:
        predict_with(PREDICTOR, find_inputs([pictures[2]]), output=tmp_path / "out")

    assert "convert it to JPEG or PNG" in str(caught.value.remedy)
    assert not (tmp_path / "out").exists()


def test_a_failed_download_keeps_its_own_remedy(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="Connection refused") as caught:
        predict_with(PREDICTOR, find_inputs(["http://127.0.0.1:1/x.png"]), output=tmp_path / "out")

    assert "check the address and the network" in str(caught.value.remedy)


def test_results_that_are_there_are_replaced_only_if_asked(
    tmp_path: Path, pictures: list[str]
) -> None:
    images, output = find_inputs(pictures), tmp_path / "out"
    check_output(images, output, ["json"], overwrite=False)
    predict_with(PREDICTOR, images, output=output, formats=["json"])

    with pytest.raises(OutputError, match="3 of the results"):
        check_output(images, output, ["json"], overwrite=False)
    check_output(images, output, ["json"], overwrite=True)
    check_output(images, output, ["overlay"], overwrite=False)


def test_an_input_picture_is_never_replaced(tmp_path: Path) -> None:
    images = find_inputs(
        [_draw(tmp_path / "a.png", 0), _draw(tmp_path / "a_overlay.jpg", 0)],
    )

    with pytest.raises(OutputError, match="would replace an input"):
        check_output(images, tmp_path, ["overlay"], overwrite=True)


def test_a_picture_called_like_the_coco_results_is_refused_where_both_are_written(
    tmp_path: Path,
) -> None:
    inputs = find_inputs([_draw(tmp_path / "coco_results.png", 200)])

    check_output(inputs, tmp_path / "out", ["coco", "overlay"], overwrite=False)
    with pytest.raises(OutputError, match=r"two results would be called coco_results\.json"):
        check_output(inputs, tmp_path / "out", ["json", "coco"], overwrite=False)


def test_a_file_in_the_place_of_the_output_folder_is_refused(tmp_path: Path) -> None:
    picture = _draw(tmp_path / "a.png", 0)

    with pytest.raises(OutputError, match="is a file"):
        check_output(find_inputs([picture]), Path(picture), ["json"], overwrite=False)
