from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, JpegImagePlugin

from segtune import exif


def jpeg(turn: int | None, *, byte_order: str = "MM") -> bytes:
    """Return a JPEG of 30 x 20 pixels, red on its left half, that states an orientation or none."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15, 0] = 200
    tags = Image.Exif()
    tags.endian = "<" if byte_order == "II" else ">"
    tags[ExifTags.Base.Make] = "A camera with a name that does not fit into four bytes"
    if turn is not None:
        tags[ExifTags.Base.Orientation] = turn
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", exif=tags)
    return content.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("byte_order", ["II", "MM"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_only_the_orientation_changes(turn: int, byte_order: str) -> None:
    before = jpeg(turn, byte_order=byte_order)

    after = exif.without_orientation(before)

    assert exif.orientation(before) == turn
    assert after is not None
    assert exif.orientation(after) == 1
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) == (turn != 1)
    tags, tags_before = opened(after).getexif(), opened(before).getexif()
    assert tags[ExifTags.Base.Orientation] == 1
    assert tags[ExifTags.Base.Make] == tags_before[ExifTags.Base.Make]


def test_a_turned_picture_is_read_as_it_is_stored() -> None:
    after = exif.without_orientation(jpeg(6))

    assert after is not None
    shown = cv2.imdecode(np.frombuffer(after, np.uint8), cv2.IMREAD_COLOR)
    stored = np.asarray(opened(jpeg(6)))
    assert shown.shape == (20, 30, 3)
    assert np.abs(shown[..., ::-1].astype(int) - stored).max() <= 3  # two decoders


def test_segments_before_exif_are_passed_over() -> None:
    content = jpeg(8)
    comment = b"\xff\xfe\x00\x06text"
    filled = content[:2] + comment + b"\xff" + comment + content[2:]

    assert opened(filled).size == (30, 20)
    assert exif.orientation(filled) == 8


def broken_at(offset_of: bytes, value: bytes, turn: int | None = 6) -> bytes:
    content = jpeg(turn, byte_order="II")
    at = content.index(offset_of) + len(offset_of)
    return content[:at] + value + content[at + len(value) :]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xd8", id="the beginning alone"),
        pytest.param(b"\xff\xd8\xff\xe1\x00", id="half a length"),
        pytest.param(b"\xff\xd8\xff\xe1\x00\x00" * 3, id="a length of nothing"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="PNG"),
        pytest.param(jpeg(None), id="no orientation"),
        pytest.param(jpeg(6)[:30], id="cut in the tags"),
        pytest.param(broken_at(b"Exif\0\0", b"XX*\0"), id="no byte order"),
        pytest.param(broken_at(b"II*\0", b"\xff\xff\xff\xff"), id="an offset far away"),
        pytest.param(broken_at(b"II*\0\x08\0\0\0", b"\xff\xff", None), id="many entries"),
    ],
)
def test_what_states_no_orientation_is_left(content: bytes) -> None:
    assert exif.orientation(content) == 1
    assert exif.without_orientation(content) is None


def test_an_orientation_that_does_not_exist_counts_as_none() -> None:
    content = jpeg(6, byte_order="II")
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00"
    at = content.index(entry) + len(entry)

    assert exif.orientation(content[:at] + b"\x09" + content[at + 1 :]) == 1
    assert JpegImagePlugin.JpegImageFile(io.BytesIO(content)).size == (30, 20)
