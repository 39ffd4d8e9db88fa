from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segtune.errors import DependencyError, ImageError
from segtune.pictures import camera_frames, is_video, pictures_in
from tests.finding import BLUE, RED, picture

FRAMES = 5


def write_video(path: Path, frames: int = FRAMES) -> Path:
    """Write a film at 10 frames a second in which a red square moves 8 px a frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (80, 60))
    for index in range(frames):
        frame = picture(((8 * index, 20, 8 * index + 20, 40), RED))
        writer.write(frame[:, :, ::-1])
    writer.release()
    return path


def write_pdf(path: Path) -> Path:
    """Write a document of two pages, red and blue, at 72 dots an inch."""
    pages = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=72)
    return path


def test_frames_of_a_video_come_one_by_one_with_their_times(tmp_path: Path) -> None:
    frames = list(pictures_in(write_video(tmp_path / "film.avi")))

    assert [frame.frame_index for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([f.time_s for f in frames if f.time_s is not None][1], 0.1)
    red, _, blue = frames[2].image[30, 26].tolist()  # the square, not its mirror in blue
    assert red > 200 > 60 > blue


def test_pages_of_a_tiff_come_in_order_without_their_reduced_copies(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((4, 6, 3), value, np.uint8)) for value in (10, 20, 30)]
    reduced = {254: 1}  # NewSubfileType
    path = tmp_path / "scan.tiff"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert [p.image[0, 0, 0] for p in pictures_in(path)] == [10, 20, 30]
    assert [p.page_index for p in pictures_in(path)] == [0, 1, 2]

    pages[2].encoderinfo = {"tiffinfo": reduced}
    pages[0].save(path, save_all=True, append_images=[pages[2]])
    [only] = pictures_in(path)
    assert (only.image[0, 0, 0], only.page_index) == (10, None)


def test_pages_of_a_pdf_are_drawn_at_twice_their_size(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")

    pages = list(pictures_in(write_pdf(tmp_path / "report.pdf")))

    assert [page.page_index for page in pages] == [0, 1]
    assert pages[0].image.shape == (60, 80, 3)
    for page, colour in zip(pages, (RED, BLUE), strict=True):
        np.testing.assert_allclose(page.image[30, 40], colour, atol=8)


def test_a_pdf_that_is_damaged_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")

    with pytest.raises(ImageError, match="cannot be opened as a PDF"):
        list(pictures_in(tmp_path / "broken.pdf"))


def test_a_pdf_without_its_library_tells_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdfium2", None)

    with pytest.raises(DependencyError) as caught:
        list(pictures_in(write_pdf(tmp_path / "report.pdf")))

    assert "segtune[pdf]" in str(caught.value.remedy)


def test_a_video_that_is_none_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no film" * 100)

    with pytest.raises(ImageError, match="not a video"):
        list(pictures_in(tmp_path / "text.mp4"))
    with pytest.raises(ImageError, match="cannot read absent"):
        list(pictures_in(tmp_path / "absent.mp4"))


def test_a_camera_that_is_not_there_is_refused() -> None:
    with pytest.raises(ImageError, match="no camera 97"):
        list(camera_frames(97))


def test_videos_are_known_by_their_names() -> None:
    assert is_video("a/B.MP4")
    assert is_video("camera:0")
    assert not is_video("a/mp4.png")
