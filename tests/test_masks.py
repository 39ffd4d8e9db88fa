from __future__ import annotations

import numpy as np
import pytest

from segtune import masks
from tests.drawing import run_lengths

SQUARE_RING = [1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]  # covers rows and columns 1 and 2


def bitmap_of(*pixels_yx: tuple[int, int], size_hw: tuple[int, int] = (4, 6)) -> np.ndarray:
    bitmap = np.zeros(size_hw, dtype=bool)
    for y, x in pixels_yx:
        bitmap[y, x] = True
    return bitmap


SQUARE = bitmap_of((1, 1), (1, 2), (2, 1), (2, 2))


@pytest.mark.parametrize(
    "bitmap",
    [
        pytest.param(SQUARE, id="square"),
        pytest.param(np.zeros((4, 6), bool), id="empty"),
        pytest.param(np.ones((4, 6), bool), id="full"),
        pytest.param(np.zeros((1, 1), bool), id="one empty pixel"),
        pytest.param(bitmap_of((0, 0), (3, 5)), id="opposite corners"),
    ],
)
def test_a_bitmap_survives_encoding(bitmap: np.ndarray) -> None:
    rle = masks.encode(bitmap)

    assert rle["size"] == list(bitmap.shape)
    assert isinstance(rle["counts"], str)
    np.testing.assert_array_equal(masks.decode(rle), bitmap)


def test_several_bitmaps_keep_their_order() -> None:
    bitmaps = np.stack([SQUARE, ~SQUARE, np.zeros_like(SQUARE)])

    decoded = masks.decode_all(masks.encode_all(bitmaps), (4, 6))

    assert decoded.dtype == np.bool_
    np.testing.assert_array_equal(decoded, bitmaps)


def test_no_masks_have_full_shape() -> None:
    assert masks.encode_all(np.zeros((0, 4, 6), bool)) == ()
    assert masks.decode_all([], (4, 6)).shape == (0, 4, 6)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="not all"):
        masks.decode_all([masks.encode(SQUARE)], (6, 4))


@pytest.mark.parametrize(
    "segmentation",
    [
        pytest.param([SQUARE_RING], id="polygon"),
        pytest.param({"size": [4, 6], "counts": run_lengths(SQUARE)}, id="uncompressed RLE"),
        pytest.param(masks.encode(SQUARE), id="compressed RLE"),
    ],
)
def test_every_form_gives_the_same_bitmap(segmentation: masks.Segmentation) -> None:
    np.testing.assert_array_equal(masks.rasterise(segmentation, (4, 6)), SQUARE)
    assert masks.area(segmentation, (4, 6)) == 4


def test_rings_of_one_instance_are_united() -> None:
    second = [4.0, 1.0, 6.0, 1.0, 6.0, 3.0, 4.0, 3.0]

    united = masks.rasterise([SQUARE_RING, second], (4, 6))

    np.testing.assert_array_equal(united, masks.rasterise([second], (4, 6)) | SQUARE)
    assert united.sum() == 8


def test_integer_coordinates_are_taken() -> None:
    ring = [int(side) for side in SQUARE_RING]

    np.testing.assert_array_equal(masks.rasterise([ring], (4, 6)), SQUARE)


def test_a_segmentation_without_rings_is_empty() -> None:
    assert not masks.rasterise([], (4, 6)).any()


def test_compressed_counts_are_read_as_pycocotools_writes_them() -> None:
    generator = np.random.default_rng(0)
    for height, width in generator.integers(1, 60, (50, 2)):
        bitmap = generator.random((height, width)) < generator.random()

        counts = masks.run_lengths(masks.encode(bitmap)["counts"])

        assert counts.tolist() == run_lengths(bitmap)


def test_counts_of_a_large_mask_need_several_characters() -> None:
    bitmap = np.zeros((3000, 4000), bool)
    bitmap[:, 1000:3000] = True

    counts = masks.run_lengths(masks.encode(bitmap)["counts"])

    assert counts.tolist() == [3_000_000, 6_000_000, 3_000_000]


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        pytest.param("5 5", "character", id="a space"),
        pytest.param("5é", "character", id="not ASCII"),
        pytest.param("5\ud800", "character", id="half a surrogate pair"),
        pytest.param("5o", "cut off", id="more was to follow"),
        pytest.param("oooooooooo0", "too large", id="fifty bits"),
    ],
)
def test_text_that_is_no_counts_is_refused(counts: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        masks.run_lengths(counts)


def test_no_text_is_no_runs() -> None:
    assert masks.run_lengths("").tolist() == []


def test_outlines_are_as_long_as_the_longer_axis_of_their_edges() -> None:
    square, triangle = [[0, 0], [4, 0], [4, 4], [0, 4]], [[1, 1], [7, 3], [1, 3]]

    lengths = masks.outline_lengths(np.array([*square, *triangle], float), np.array([0, 4, 7]))

    np.testing.assert_array_equal(lengths, [16, 6 + 6 + 2])


def test_no_rings_have_no_outlines() -> None:
    assert len(masks.outline_lengths(np.zeros((0, 2)), np.zeros(1, np.int64))) == 0
