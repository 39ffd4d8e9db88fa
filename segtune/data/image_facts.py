"""What there is to know of one image file, read once: size, kind, pixels in short, or its fault."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from segtune import images
from segtune.data.looks import look_of
from segtune.errors import ImageError

_DIGEST_BYTES = 16
_BITS_PER_SAMPLE = 258  # a TIFF tag
_ORIENTATIONS = range(1, 9)
_SIDEWAYS = range(5, 9)
# One photograph with a preview or depth map behind it, as telephones save them.
_PICTURES_WITH_EXTRAS = {"MPO": "JPEG"}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What one image file holds. Of a faulty one only `fault` is telling."""

    fault: str = ""
    """Why it cannot be decoded; empty for a sound file."""
    height: int = 0
    """Of the upright picture."""
    width: int = 0
    orientation: int = 1
    """EXIF's, 1..8; 1 is upright as stored."""
    format: str = ""
    """Pillow's name of it, such as JPEG; empty when Pillow does not know it."""
    mode: str = ""
    """Pillow's name of the pixels, such as RGB, L, P, CMYK."""
    bits: int = 8
    """Of a channel."""
    num_frames: int = 1
    is_see_through: bool = False
    """Whether a pixel is not opaque."""
    byte_hash: str = ""
    """Equal for equal files."""
    pixel_hash: str = ""
    """Equal for equal pictures."""
    look: str = ""
    """`looks.look_of` the picture; empty for one without any contrast."""

    @property
    def is_turned_on_side(self) -> bool:
        """Whether EXIF exchanges height and width."""
        return self.orientation in _SIDEWAYS

    def to_json(self) -> list[Any]:
        """Return the values in order."""
        return [getattr(self, field.name) for field in fields(self)]

    @classmethod
    def from_json(cls, values: list[Any]) -> ImageFacts:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The values are others.
        """
        kinds = [type(field.default) for field in fields(cls)]
        if [type(value) for value in values] != kinds:
            raise ValueError(f"not the facts of an image: {values}")
        return cls(*values)


def read_facts(path: Path) -> ImageFacts:
    """Return what the image file at `path` holds; it is decoded whole.

    Raises:
        OSError: The file cannot be reached.
    """
    content = path.read_bytes()
    byte_hash = _digest(content)
    try:
        picture = images.decode_image(content, path)
    except ImageError as error:
        return ImageFacts(fault=error.problem, byte_hash=byte_hash)
    height, width = picture.shape[:2]
    return ImageFacts(
        height=height,
        width=width,
        byte_hash=byte_hash,
        pixel_hash=_digest(repr(picture.shape).encode(), picture.data),
        look=look_of(picture),
        **_header(content),
    )


def _digest(*parts: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _header(content: bytes) -> dict[str, Any]:
    """Return the facts that OpenCV, which decodes, does not tell."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return {
                "orientation": _orientation(picture),
                "format": _PICTURES_WITH_EXTRAS.get(picture.format or "", picture.format or ""),
                "mode": picture.mode,
                "bits": _bits(picture, content),
                "num_frames": _num_frames(picture),
                "is_see_through": _is_see_through(picture),
            }
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        return {}  # a kind of picture that only OpenCV knows


def _orientation(picture: Image.Image) -> int:
    try:
        orientation = int(str(picture.getexif().get(ExifTags.Base.Orientation, 1)))
    except (SyntaxError, TypeError, ValueError):
        return 1  # as OpenCV, which shows pictures with damaged metadata as they are stored
    return orientation if orientation in _ORIENTATIONS else 1


def _bits(picture: Image.Image, content: bytes) -> int:
    if picture.format == "PNG":
        return content[24]  # of the header chunk, which comes first: Pillow hides a colour PNG's
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return max(map(int, picture.tag_v2.get(_BITS_PER_SAMPLE, (1,))))
    return 16 if picture.mode.startswith("I;16") else 8


def _num_frames(picture: Image.Image) -> int:
    return 1 if picture.format in _PICTURES_WITH_EXTRAS else int(getattr(picture, "n_frames", 1))


def _is_see_through(picture: Image.Image) -> bool:
    if "transparency" not in picture.info and "A" not in picture.getbands():
        return False
    histogram = picture.convert("RGBA").getchannel("A").histogram()
    return any(histogram[:255])
