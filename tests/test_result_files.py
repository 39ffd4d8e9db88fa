from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.errors import OutputError
from segtune.inputs import find_inputs
from segtune.instances import Instances
from segtune.pictures import pictures_in
from segtune.predict import predict_with
from segtune.result_files import FORMATS
from tests.finding import ColourFinder, picture
from tests.test_pictures import FRAMES, write_video
from tests.test_pipeline import saved

LATIN = ColourFinder(Categories([(3, "red"), (7, "blue"), (9, "green")]))


def test_a_video_becomes_lines_and_a_film(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.avi")

    summary = predict_with(LATIN, find_inputs([str(film)]), output=tmp_path / "out", batch_size=2)

    assert (summary.num_images, summary.num_instances, summary.failed) == (FRAMES, FRAMES, [])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "coco_results.json",
        "film.jsonl",
        "film_overlay.mp4",
    ]
    lines = (tmp_path / "out" / "film.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["frame_index"] for record in records] == list(range(FRAMES))
    lefts = [record["instances"][0]["box_xyxy"][0] for record in records]
    np.testing.assert_allclose(np.diff(lefts), 8, atol=1)
    frames = list(pictures_in(tmp_path / "out" / "film_overlay.mp4"))
    assert (len(frames), frames[0].image.shape) == (FRAMES, (60, 80, 3))
    capture = cv2.VideoCapture(str(tmp_path / "out" / "film_overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    capture.release()


def test_a_video_of_one_frame_and_odd_sides_is_a_film_too(tmp_path: Path) -> None:
    path = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (81, 61))
    writer.write(picture(size_hw=(61, 81)))
    writer.release()

    predict_with(LATIN, find_inputs([str(path)]), output=tmp_path / "out", formats=["overlay"])

    [frame] = pictures_in(tmp_path / "out" / "short_overlay.mp4")
    assert frame.image.shape == (60, 80, 3)


def test_two_videos_and_a_picture_keep_their_own_files(tmp_path: Path) -> None:
    names = [str(write_video(tmp_path / "a.avi", 2)), str(write_video(tmp_path / "b.avi", 3))]
    names.insert(1, str(saved(tmp_path / "c.png")))

    predict_with(LATIN, find_inputs(names), output=tmp_path / "out", formats=["json"])

    out = tmp_path / "out"
    assert len((out / "a.jsonl").read_text("utf-8").splitlines()) == 2
    assert len((out / "b.jsonl").read_text("utf-8").splitlines()) == 3
    assert json.loads((out / "c.json").read_text("utf-8"))["image_id"] == 3


def test_every_format_has_its_place(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")

    predict_with(LATIN, find_inputs([str(path)]), output=tmp_path / "out", formats=FORMATS)

    out = tmp_path / "out"
    assert json.loads((out / "paddlex" / "a_res.json").read_text())["boxes"][0]["label"] == "red"
    assert json.loads((out / "labelme" / "a.json").read_text())["imagePath"] == "a.png"


def test_results_of_pages_do_not_replace_what_is_there(tmp_path: Path) -> None:
    video = write_video(tmp_path / "film.avi", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film.jsonl").write_text("mine")

    with pytest.raises(OutputError, match="exist already"):
        predict_with(LATIN, find_inputs([str(video)]), output=tmp_path / "out")

    assert (tmp_path / "out" / "film.jsonl").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["film.jsonl"]


class Interrupted(ColourFinder):
    """Is stopped by Ctrl-C after two images."""

    def predict(
        self, images: Iterator[NDArray[np.uint8]], *, threshold: float = 0.5, batch_size: int = 1
    ) -> Iterator[Instances]:
        found = super().predict(images, threshold=threshold, batch_size=batch_size)
        yield next(found)
        yield next(found)
        raise KeyboardInterrupt


def test_an_interrupt_keeps_what_was_found(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.avi")
    finder = Interrupted(LATIN.categories)

    with pytest.raises(KeyboardInterrupt):
        predict_with(finder, find_inputs([str(film)]), output=tmp_path / "out")

    assert len((tmp_path / "out" / "film.jsonl").read_text("utf-8").splitlines()) == 2
    assert len(json.loads((tmp_path / "out" / "coco_results.json").read_text())) == 2
    assert len(list(pictures_in(tmp_path / "out" / "film_overlay.mp4"))) == 2


def test_an_error_leaves_no_part_of_a_video(tmp_path: Path) -> None:
    class Broken(ColourFinder):
        def _find(self, image: NDArray[np.uint8], threshold: float) -> Instances:
            if image[30, 10, 0] < 200:  # the square has moved on
                raise RuntimeError("the device is gone")
            return super()._find(image, threshold)

    film = write_video(tmp_path / "film.avi")

    with pytest.raises(RuntimeError):
        predict_with(Broken(LATIN.categories), find_inputs([str(film)]), output=tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []
