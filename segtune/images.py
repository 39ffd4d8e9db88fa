"""Pictures in files and folders, as RGB arrays."""

from __future__ import annotations

import glob
import io
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from segtune import files
from segtune.errors import ImageError, OutputError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Lower-case endings of the files that count as pictures in a folder."""

ENCODINGS = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".png": [],
}
"""Lower-case endings of the pictures that can be written, and how OpenCV encodes them."""

_FETCH_AGAIN = "copy or download it again, or remove it"
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the picture in a file as RGB (H, W, 3), upright as its EXIF orientation says.

    Sixteen bits become eight, alpha is dropped, grey becomes three equal channels. OpenCV does
    the decoding, since PaddleX decodes with it and results are compared to the last bit.

    Raises:
        ImageError: The file is missing, empty, cut short, or not a picture.
    """
    return decode_image(read_content(path), path)


def read_content(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        ImageError: The file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def decode_image(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the picture in the bytes of a file as `read_image` does; errors call it `path`.

    Raises:
        ImageError: The bytes are none, cut short, or not a picture.
    """
    return _decode(content, path, cv2.IMREAD_COLOR)


def decode_as_stored(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Return a picture as `decode_image` does, but not turned as its EXIF orientation says.

    Raises:
        ImageError: The bytes are none, cut short, or not a picture.
    """
    return _decode(content, path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _decode(content: bytes, path: Path, flags: int) -> NDArray[np.uint8]:
    if not content:
        raise _empty(path)
    _refuse_cut_file(path, content)
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise _undecodable(path) from error
    if decoded is None:
        raise _undecodable(path)
    rgb: NDArray[np.uint8] = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb


def image_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) that `read_image` would give, from the header alone.

    Raises:
        ImageError: The file is missing, empty, or not a picture.
    """
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                raise _empty(path)
            stream.seek(0)
            with _open_header(path, stream) as picture:
                width, height = _stored_size(picture)
                sideways = _orientation(picture) in _SIDEWAYS
    except OSError as error:
        raise _unreadable(path, error) from error
    return (width, height) if sideways else (height, width)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Put an RGB image (H, W, 3) at `path`, whole or not at all; the suffix chooses PNG or JPEG.

    Raises:
        OutputError: The suffix is neither, or the place cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in ENCODINGS:
        raise OutputError(
            f"pictures cannot be written as '{path.suffix}'",
            where=str(path),
            remedy=f"use one of {', '.join(sorted(ENCODINGS))}",
        )
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), ENCODINGS[suffix])
    files.write_bytes(path, encoded.tobytes())


def list_images(path_or_glob: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the pictures that a file, a folder or a glob such as `photos/**/*.jpg` names.

    A file is taken whatever its suffix. Folders are searched with all folders below, and give,
    like globs, files that end in one of `suffixes`, sorted; hidden files are left out.

    Raises:
        ImageError: Nothing was found, or the place cannot be read.
    """
    path = Path(path_or_glob)
    try:
        if path.is_file():
            return [path]
        is_folder = path.is_dir()
        if is_folder:
            candidates = list(path.rglob("*"))
        else:
            matches = glob.iglob(path_or_glob, recursive=True)  # noqa: PTH207, takes absolute ones
            candidates = [Path(match) for match in matches]
        found = sorted(candidate for candidate in candidates if _is_shown(candidate, suffixes))
    except OSError as error:  # a name too long, a folder that may not be entered
        raise _unreadable(path, error) from error
    if not found:
        raise ImageError(
            f"no pictures in {path}" if is_folder else f"nothing found at {path_or_glob}",
            where=path_or_glob,
            remedy=f"name a file, folder or glob with {', '.join(suffixes)} files",
        )
    return found


def _is_shown(path: Path, suffixes: tuple[str, ...]) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in suffixes and not hidden and path.is_file()


def _refuse_cut_file(path: Path, content: bytes) -> None:
    """Raise ImageError for a JPEG or PNG that ends early.

    OpenCV fills up such a JPEG with grey in silence, and complains of a PNG on stderr.
    """
    if content.startswith(b"\x89PNG"):
        is_cut = b"IEND" not in content
    elif content.startswith(b"\xff\xd8"):
        # No end marker at the end: cut short, or whole with something appended. Decoding tells.
        is_cut = not content.rstrip(b"\0").endswith(b"\xff\xd9")
        is_cut = is_cut and not _decodes_whole(path, content)
    else:
        is_cut = False
    if is_cut:
        raise ImageError(f"{path.name} is cut short", where=str(path), remedy=_FETCH_AGAIN)


def _decodes_whole(path: Path, content: bytes) -> bool:
    with _open_header(path, io.BytesIO(content)) as picture:
        try:
            picture.load()
        except (OSError, SyntaxError, ValueError):
            return False
    return True


def _open_header(path: Path, stream: IO[bytes]) -> Image.Image:
    try:
        return Image.open(stream)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path.name} has too many pixels", where=str(path), remedy="cut it into tiles"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise _undecodable(path) from error


def _stored_size(picture: Image.Image) -> tuple[int, int]:
    """Return (width, height) before orientation; some Pillow versions turn a TIFF's at once."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return int(picture.tag_v2[256]), int(picture.tag_v2[257])  # ImageWidth, ImageLength
    return picture.size


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except (SyntaxError, TypeError, ValueError):
        return 1  # as OpenCV, which shows pictures with damaged metadata as they are stored


def _unreadable(path: Path, error: OSError) -> ImageError:
    return ImageError(
        f"cannot read {path.name}: {error.strerror or error}",
        where=str(path),
        remedy="check the path and the permissions",
    )


def _empty(path: Path) -> ImageError:
    return ImageError(
        f"{path.name} is empty",
        where=str(path),
        remedy=_FETCH_AGAIN,
    )


def _undecodable(path: Path) -> ImageError:
    return ImageError(
        f"{path.name} is not a picture, a damaged one, or of an unusual kind",
        where=str(path),
        remedy="copy or download it again, or convert it to JPEG or PNG",
    )
