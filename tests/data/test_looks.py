from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.data.looks import MAX_DISTANCE, alike, look_of

Picture = NDArray[np.uint8]


def blobs(seed: int) -> Picture:
    """A picture of large soft shapes, 240 x 320."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def compressed(picture: Picture) -> Picture:
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def bits(look: str) -> int:
    return int(look, 16)


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(compressed(blobs(0)), id="compressed anew"),
        pytest.param(cv2.resize(blobs(0), (160, 120)), id="half the size"),
        pytest.param(cv2.convertScaleAbs(blobs(0), alpha=0.8, beta=25), id="less contrast"),
    ],
)
def test_a_copy_looks_like_its_picture(copy: Picture) -> None:
    assert (bits(look_of(copy)) ^ bits(look_of(blobs(0)))).bit_count() <= MAX_DISTANCE


def test_other_pictures_look_different() -> None:
    looks = [look_of(blobs(seed)) for seed in range(40)]

    assert all(len(look) == 64 for look in looks)
    assert alike(looks).shape == (0, 2)


def test_a_picture_without_contrast_looks_like_no_other() -> None:
    flat = look_of(np.full((20, 30, 3), 90, np.uint8))

    assert flat == ""
    assert alike([flat, flat]).shape == (0, 2)


def test_no_pictures_are_no_pairs() -> None:
    assert alike([]).shape == (0, 2)


def test_all_pairs_up_to_fifteen_bits_are_found_whichever_bits_they_are() -> None:
    generator = np.random.default_rng(0)
    original = int.from_bytes(generator.bytes(32), "big")
    looks = [original]
    for number in (1, 8, 15, 16, 40):
        places = generator.choice(256, number, replace=False).tolist()
        looks.append(original ^ sum(1 << place for place in places))
    others = [int.from_bytes(generator.bytes(32), "big") for _ in range(50)]
    texts = [f"{look:064x}" for look in (*others[:25], *looks, *others[25:])]

    expected = [
        [25 + one, 25 + other]
        for one in range(6)
        for other in range(one + 1, 6)
        if (looks[one] ^ looks[other]).bit_count() <= 15
    ]
    assert [25, 28] in expected  # the one of 15 bits
    assert [25, 29] not in expected
    assert alike(texts).tolist() == expected


def test_the_frames_of_a_still_camera_are_told_alike_in_bounded_time() -> None:
    looks = [f"{1 << number % 256:064x}" for number in range(3000)]

    pairs = alike(looks)

    assert set(pairs[:, 1].tolist()) >= set(range(256, 3000))
    assert len(pairs) < 3000 * 64
