import json

import numpy as np
import pytest

from segtune.preprocess import PreprocessSpec

IMAGENET = PreprocessSpec(
    size_hw=(800, 1333),
    keep_ratio=True,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    pad_stride=32,
)


def _grey(height: int, width: int, value: int = 255) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_a_stretched_image_has_the_exact_size_and_values_between_zero_and_one() -> None:
    array, geometry = PreprocessSpec(size_hw=(64, 96)).apply(_grey(30, 40))

    assert array.shape == (3, 64, 96)
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, 1.0)
    assert geometry.original_hw == (30, 40)
    assert geometry.scale_hw == (64 / 30, 96 / 40)


@pytest.mark.parametrize(
    ("original_hw", "resized_hw"),
    [
        pytest.param((480, 640), (800, 1067), id="short side decides"),
        pytest.param((640, 480), (1067, 800), id="portrait alike"),
        pytest.param((300, 900), (444, 1333), id="long side decides"),
        pytest.param((427, 640), (800, 1199), id="a side of 1199.06"),
        pytest.param((640, 642), (800, 802), id="802.5 goes to the even side, as PaddleX has it"),
        pytest.param((646, 640), (808, 800), id="807.5 as well"),
    ],
)
def test_kept_ratio_fills_what_both_sides_admit(
    original_hw: tuple[int, int], resized_hw: tuple[int, int]
) -> None:
    assert IMAGENET.target_hw(original_hw) == resized_hw


def test_padding_is_zero_at_right_and_bottom_and_not_part_of_the_scale() -> None:
    array, geometry = IMAGENET.apply(_grey(480, 640))

    assert array.shape == (3, 800, 1088)
    assert geometry.resized_hw == (800, 1067)
    assert not array[:, :, 1067:].any()
    np.testing.assert_allclose(array[:, 0, 0], (1 - 0.485) / 0.229, rtol=1e-2, atol=0.4)
    np.testing.assert_allclose(
        array[:, 5, 5],
        [(1 - m) / s for m, s in zip(IMAGENET.mean, IMAGENET.std, strict=True)],
        rtol=1e-5,
    )


def test_channels_keep_their_order() -> None:
    image = _grey(8, 8, 0)
    image[..., 0] = 255

    array, _ = PreprocessSpec(size_hw=(8, 8)).apply(image)

    assert array[:, 0, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_spec_survives_a_trip_through_json() -> None:
    assert PreprocessSpec.from_json(json.loads(json.dumps(IMAGENET.to_json()))) == IMAGENET


def test_paddlex_gets_the_same_operations_in_its_own_words() -> None:
    assert PreprocessSpec().to_paddlex() == [
        {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [640, 640]},
        {
            "type": "NormalizeImage",
            "is_scale": True,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
            "norm_type": "none",
        },
        {"type": "Permute"},
    ]
    assert IMAGENET.to_paddlex()[-1] == {"type": "PadStride", "stride": 32}
    assert IMAGENET.to_paddlex()[1]["norm_type"] == "mean_std"
