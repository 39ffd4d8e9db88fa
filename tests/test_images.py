"""Tests of reading, writing and finding pictures."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from segtune.errors import ImageError, OutputError
from segtune.images import image_size, list_images, read_image, write_image


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    """A picture 40 high and 60 wide in which no two pixels agree by accident."""
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def photograph() -> bytes:
    """Return a JPEG that is long enough to be cut in its pixels."""
    rows, columns = np.mgrid[:240, :320]
    pixels = np.stack([rows, columns % 256, (rows * columns) % 256], axis=-1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1"])
def test_every_mode_becomes_three_eight_bit_channels(
    tmp_path: Path, noise: NDArray[np.uint8], mode: str
) -> None:
    picture = Image.fromarray(noise).convert(mode)
    path = tmp_path / "picture.png"
    picture.save(path)

    image = read_image(path)

    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))


def test_sixteen_bits_become_the_upper_eight(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.array([[0, 255, 256, 65535]], np.uint16))

    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 0, 1, 255])


def test_transparent_pixels_keep_their_colour(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(path)

    np.testing.assert_array_equal(read_image(path), np.full((2, 2, 3), (10, 20, 30)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_picture_stands_as_its_exif_orientation_says(
    tmp_path: Path, noise: NDArray[np.uint8], orientation: int, suffix: str
) -> None:
    path = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(noise).save(path, exif=exif)

    with Image.open(path) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read_image(path), upright)
    assert image_size(path) == upright.shape[:2]


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", ".jpg"), ("CMYK", ".jpg"), ("RGB", ".webp")])
def test_pixels_are_those_of_opencv(
    tmp_path: Path, noise: NDArray[np.uint8], mode: str, suffix: str
) -> None:
    path = tmp_path / f"picture{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(noise).convert(mode).save(path, exif=exif)

    image = read_image(path)

    np.testing.assert_array_equal(image[..., ::-1], cv2.imread(str(path)))
    assert image_size(path) == image.shape[:2] == (60, 40)


def test_cmyk_tiff_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "print.tif"
    Image.new("CMYK", (3, 2), (255, 0, 0, 0)).save(path)

    np.testing.assert_array_equal(read_image(path), np.full((2, 3, 3), (0, 255, 255)))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_jpeg_that_is_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    whole = photograph()
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: int(len(whole) * part)])

    with pytest.raises(ImageError, match=r"cut.jpg is cut short"):
        read_image(path)


def test_jpeg_with_something_appended_is_whole(tmp_path: Path) -> None:
    whole, longer = tmp_path / "whole.jpg", tmp_path / "longer.jpg"
    whole.write_bytes(photograph())
    longer.write_bytes(photograph() + b"made by a telephone")

    np.testing.assert_array_equal(read_image(longer), read_image(whole))


@pytest.mark.parametrize(
    ("suffix", "problem"),
    [(".png", "cut short"), (".bmp", "not a picture"), (".webp", "not a picture")],
)
def test_other_formats_that_are_cut_short_are_refused(
    tmp_path: Path, noise: NDArray[np.uint8], suffix: str, problem: str
) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(ImageError, match=problem):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_empty_file_is_named(tmp_path: Path, read: object) -> None:
    path = tmp_path / "nothing.jpg"
    path.touch()

    assert callable(read)
    with pytest.raises(ImageError, match=r"nothing.jpg is empty"):
        read(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_text_is_not_a_picture(tmp_path: Path, read: object) -> None:
    path = tmp_path / "letter.jpg"
    path.write_text("Dear reader")

    assert callable(read)
    with pytest.raises(ImageError, match="not a picture") as caught:
        read(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy is not None


@pytest.mark.parametrize("read", [read_image, image_size])
def test_missing_file_and_folder_are_refused(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(ImageError, match="No such file"):
        read(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="directory"):
        read(tmp_path)


def test_png_comes_back_as_it_was_written(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = tmp_path / "new" / "picture.PNG"

    write_image(path, noise)

    np.testing.assert_array_equal(read_image(path), noise)


def test_unknown_suffix_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot be written as '\.xyz'"):
        write_image(tmp_path / "picture.xyz", np.zeros((2, 2, 3), np.uint8))

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name in ["b.jpg", "a.PNG", "trip/c.webp", "trip/notes.txt", ".hidden.jpg"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_folder_gives_its_pictures_sorted_with_folders_below(album: Path) -> None:
    assert list_images(str(album)) == [album / "a.PNG", album / "b.jpg", album / "trip/c.webp"]


def test_glob_gives_the_pictures_it_matches(album: Path) -> None:
    assert list_images(str(album / "*")) == [album / "a.PNG", album / "b.jpg"]
    assert list_images(str(album / "**/*.webp")) == [album / "trip/c.webp"]


def test_file_is_taken_whatever_its_suffix(album: Path) -> None:
    assert list_images(str(album / "trip/notes.txt")) == [album / "trip/notes.txt"]


@pytest.mark.parametrize("name", ["absent.jpg", "*.tif", "empty"])
def test_finding_nothing_is_an_error(album: Path, name: str) -> None:
    (album / "empty").mkdir()

    with pytest.raises(ImageError, match=r"no pictures in|nothing found at"):
        list_images(str(album / name))


def test_name_that_no_file_system_takes_is_an_error_too() -> None:
    with pytest.raises(ImageError, match="too long"):
        list_images("x" * 5000 + ".jpg")
