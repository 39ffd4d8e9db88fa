"""The pictures in one file, one after the other: an image, pages of a document, frames of a video.

Nothing keeps more than one of them in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtune.errors import DependencyError, ImageError
from segtune.images import IMAGE_SUFFIXES, read_image

VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
PDF_SUFFIX = ".pdf"
READABLE_SUFFIXES = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, PDF_SUFFIX)
"""Lower-case endings of the files that count as input in a folder."""

CAMERA = "camera:"
PDF_SCALE = 2.0  # of 72 dots an inch, as PaddleX renders
MAX_PAGE_PIXELS = 178_956_970  # PaddleX's limit; larger pages are rendered at a smaller scale
_REDUCED = 1  # bit of TIFF's NewSubfileType: a smaller copy of another page
_NEW_SUBFILE_TYPE = 254
_SHORTEST_SHARE = 0.5  # of the frames that a video announces; containers are not exact


@dataclass(frozen=True)
class Picture:
    """One picture: pixels, and where in which file they come from."""

    image: NDArray[np.uint8]  # RGB (H, W, 3)
    page_index: int | None = None  # of a document, from 0
    frame_index: int | None = None  # of a video, from 0
    time_s: float | None = None  # of a video, from its start


def pictures_in(path: Path) -> Iterator[Picture]:
    """Yield the pictures in a file.

    Raises:
        ImageError: The file is missing, damaged, or none that holds pictures. Pictures before the
            damage have been yielded then.
        DependencyError: A PDF is given and pypdfium2 is not installed.
    """
    if _is_pdf(path):
        yield from _pages_of_pdf(path)
    elif is_video(str(path)):
        yield from _frames(str(path))
    elif path.suffix.lower() in (".tif", ".tiff"):
        yield from _pages_of_tiff(path)
    else:
        yield Picture(read_image(path))


def camera_frames(number: int) -> Iterator[Picture]:
    """Yield the frames of a camera of this machine until it is unplugged. Raises ImageError."""
    yield from _frames(f"{CAMERA}{number}", number)


def is_video(place: str) -> bool:
    """Return whether a path or camera name stands for frames without a known end."""
    return place.startswith(CAMERA) or place.lower().endswith(VIDEO_SUFFIXES)


def _is_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(5) == b"%PDF-"
    except OSError:
        return False  # read_image says what is wrong


def _pages_of_tiff(path: Path) -> Iterator[Picture]:
    pages = _full_pages(path)
    if len(pages) <= 1:
        yield Picture(read_image(path))
        return
    for page in pages:
        is_read, decoded = cv2.imreadmulti(str(path), page, 1, flags=cv2.IMREAD_COLOR)
        if not is_read:
            raise ImageError(
                f"page {page} of {path.name} cannot be decoded",
                where=str(path),
                remedy="write the document again, or take its pages apart",
            )
        yield Picture(_rgb(decoded[0]), page_index=page)


def _full_pages(path: Path) -> list[int]:
    """Return the pages of a TIFF that are not smaller copies of others."""
    pages = []
    try:
        with Image.open(path) as picture:
            for page in range(getattr(picture, "n_frames", 1)):
                picture.seek(page)
                tags: Any = getattr(picture, "tag_v2", {})
                if not int(tags.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED:
                    pages.append(page)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path.name} has too many pixels", where=str(path), remedy="predict with --tile 1024"
        ) from error
    except (OSError, SyntaxError, ValueError, TypeError, EOFError):
        return []  # read_image says what is wrong
    return pages


def _pages_of_pdf(path: Path) -> Iterator[Picture]:
    try:
        import pypdfium2
    except ImportError as error:
        raise DependencyError(
            "reading PDF needs pypdfium2, which is not installed",
            where=str(path),
            remedy="pip install 'segtune[pdf]'",
        ) from error
    try:
        document = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError) as error:
        raise ImageError(
            f"{path.name} cannot be opened as a PDF: {error}",
            where=str(path),
            remedy="remove its password, or write it again",
        ) from error
    try:
        for index in range(len(document)):
            try:
                page = document[index]
                pixels = page.get_width() * page.get_height() * PDF_SCALE**2
                scale = PDF_SCALE * min(1.0, (MAX_PAGE_PIXELS / pixels) ** 0.5)
                drawn = page.render(scale=scale, rev_byteorder=True).to_numpy()
            except pypdfium2.PdfiumError as error:
                raise ImageError(
                    f"page {index} of {path.name} cannot be drawn: {error}",
                    where=str(path),
                    remedy="write the document again",
                ) from error
            yield Picture(_three_channels(drawn), page_index=index)
    finally:
        document.close()


def _three_channels(drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a drawn page (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) as a copy of three channels."""
    if drawn.ndim == 2 or drawn.shape[2] == 1:
        return np.repeat(drawn.reshape(*drawn.shape[:2], 1), 3, axis=2)
    return drawn[:, :, :3].copy()


def _frames(place: str, number: int | None = None) -> Iterator[Picture]:
    source: str | int = place if number is None else number
    if number is None and not Path(place).is_file():
        read_image(Path(place))  # says what is wrong
    capture = cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            raise _no_video(place, number)
        announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        per_second = capture.get(cv2.CAP_PROP_FPS)
        count = 0
        while True:
            is_read, frame = capture.read()
            if not is_read:
                break
            time_s = count / per_second if per_second > 0 else None
            yield Picture(_rgb(frame), frame_index=count, time_s=time_s)
            count += 1
        if count == 0:
            raise _no_video(place, number)
        if count < _SHORTEST_SHARE * announced:
            raise ImageError(
                f"{place} ends after {count} of {announced:.0f} frames",
                where=place,
                remedy="the file is cut short or damaged; copy or encode it again",
            )
    finally:
        capture.release()


def _rgb(decoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rgb: NDArray[np.uint8] = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb


def _no_video(place: str, number: int | None) -> ImageError:
    if number is not None:
        return ImageError(
            f"there is no camera {number}, or it gives no picture",
            where=place,
            remedy="plug it in, close other programs that use it, or give another number",
        )
    return ImageError(
        f"{Path(place).name} is not a video, or a damaged one",
        where=place,
        remedy="copy it again, or convert it to MP4 (H.264)",
    )
