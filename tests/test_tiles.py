from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segtune import scans
from segtune.errors import DependencyError, ImageError, RecipeError
from segtune.images import read_image
from segtune.instances import Instances
from segtune.pictures import Picture
from segtune.scans import FileScan, PictureScan, open_large
from segtune.tiles import Tiling, predict_tiled
from tests.finding import BLUE, GREEN, RED, ColourFinder, picture

TILING = Tiling(side_px=100, overlap=0.2)


def tiled(image: NDArray[np.uint8], tiling: Tiling = TILING, batch_size: int = 3) -> Instances:
    scan = PictureScan(Picture(image))
    return predict_tiled(ColourFinder(), scan, tiling, threshold=0.0, batch_size=batch_size)


def whole(image: NDArray[np.uint8]) -> Instances:
    [found] = ColourFinder().predict([image], threshold=0.0)
    return found


def in_one_order(found: Instances) -> list[tuple[object, ...]]:
    rows = zip(found.labels, found.boxes, found.rles, strict=True)
    return sorted((int(label), *map(float, box), rle["counts"]) for label, box, rle in rows)


def test_tiles_cover_the_picture_and_the_last_one_ends_with_it() -> None:
    assert TILING.starts(260) == [0, 80, 160]
    assert TILING.starts(270) == [0, 80, 160, 170]
    assert TILING.starts(100) == [0]
    assert TILING.starts(30) == [0]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param((10, 10, 30, 30), id="inside one tile"),
        pytest.param((82, 85, 98, 97), id="inside the overlap of four"),
        pytest.param((70, 10, 95, 30), id="whole in one, cut in its neighbour"),
        pytest.param((60, 60, 200, 90), id="wider than a tile"),
        pytest.param((40, 5, 60, 255), id="from top to bottom"),
        pytest.param((0, 0, 300, 260), id="the whole picture"),
    ],
)
def test_an_instance_is_found_once_and_as_in_the_whole_picture(
    patch: tuple[int, int, int, int],
) -> None:
    image = picture((patch, RED), size_hw=(260, 300))

    assert in_one_order(tiled(image)) == in_one_order(whole(image))


def test_a_crowd_comes_out_as_in_the_whole_picture() -> None:
    generator = np.random.default_rng(0)
    image = np.full((390, 510, 3), 128, np.uint8)
    taken = np.zeros((390, 510), bool)
    for number in range(400):
        left, top = generator.integers(0, [500, 380])
        width, height = generator.integers(3, 110, 2)
        place = (slice(top, top + height), slice(left, left + width))
        if not taken[place].any():
            image[place] = (RED, BLUE, GREEN)[number % 3]
            taken[max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2] = True

    found, expected = tiled(image), whole(image)

    assert len(expected) > 20
    assert in_one_order(found) == in_one_order(expected)


def test_neighbours_that_touch_a_seam_stay_two() -> None:
    image = picture(((70, 10, 110, 30), RED), ((70, 40, 110, 60), RED), size_hw=(100, 260))

    assert len(tiled(image)) == 2


def test_no_instance_is_no_row() -> None:
    found = tiled(picture(size_hw=(150, 150)))

    assert (len(found), found.size_hw, found.boxes.shape) == (0, (150, 150), (0, 4))


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    image = picture(((1, 1, 30, 20), BLUE))

    assert in_one_order(tiled(image)) == in_one_order(whole(image))


@pytest.mark.parametrize("tiling", [(32, 0.2), (1024, 0.5), (1024, -0.1)])
def test_tiles_that_make_no_sense_are_refused(tiling: tuple[int, float]) -> None:
    with pytest.raises(RecipeError):
        Tiling(*tiling)


def test_a_label_that_only_the_cut_part_has_gives_way() -> None:
    class Confused(ColourFinder):
        """Takes red for green where it reaches the right edge of a tile of 100."""

        def _find(self, image: NDArray[np.uint8], threshold: float) -> Instances:
            found = super()._find(image, threshold)
            labels = np.where(found.boxes[:, 2] == 100, 2, found.labels)
            return Instances(found.boxes, found.scores, labels, found.rles, found.size_hw)

    image = picture(((85, 10, 110, 30), RED), size_hw=(100, 180))
    scan = PictureScan(Picture(image))

    found = predict_tiled(Confused(), scan, TILING, threshold=0.0, batch_size=1)

    assert (found.labels.tolist(), found.boxes.tolist()) == ([0], [[85, 10, 110, 30]])


def test_a_picture_in_memory_is_reduced_to_the_longest_side() -> None:
    scan = PictureScan(Picture(picture(size_hw=(100, 400))))

    assert scan.reduced(200).image.shape == (50, 200, 3)
    assert scan.reduced(400).image.shape == (100, 400, 3)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures from 1,000 pixels on count as large."""
    pytest.importorskip("pyvips")
    monkeypatch.setattr(scans, "LARGE_PIXELS", 1000)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.usefixtures("large")
def test_a_file_read_in_strips_is_the_file_read_whole(
    tmp_path: Path, suffix: str, mode: str, orientation: int
) -> None:
    if (suffix, mode) == (".jpg", "RGBA"):
        pytest.skip("JPEG has no alpha")
    rows, columns = np.mgrid[:150, :120]
    pixels = np.stack([rows, 2 * columns, rows + columns], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"large{suffix}"
    Image.fromarray(pixels).convert(mode).save(path, exif=exif)

    scan = open_large(path)

    assert isinstance(scan, FileScan)
    expected = read_image(path)
    assert scan.size_hw == expected.shape[:2]
    bottom = scan.size_hw[0]
    strips = [(0, 50), (40, 90), (80, bottom), (80, bottom)]
    for top, end in strips:
        difference = scan.rows(top, end).astype(int) - expected[top:end]
        assert np.abs(difference).max() <= (2 if suffix == ".webp" else 1)
    assert max(scan.reduced(60).image.shape) == 60


@pytest.mark.usefixtures("large")
def test_a_large_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    scan = open_large(path)
    assert scan is not None

    with pytest.raises(ImageError, match="cannot be decoded"):
        scan.rows(0, 200)


def test_a_large_file_without_its_library_tells_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "LARGE_PIXELS", 1000)
    monkeypatch.setitem(__import__("sys").modules, "pyvips", None)
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")

    with pytest.raises(DependencyError) as caught:
        open_large(tmp_path / "large.png")

    assert "segtune[large]" in str(caught.value.remedy)
    Image.new("RGB", (20, 50)).save(tmp_path / "small.png")
    assert open_large(tmp_path / "small.png") is None
