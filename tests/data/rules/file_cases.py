"""Faults of the image files on disk.

A row is the rule, the change of document and image folder that breaks it, and the place found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tests.data.rules.document import HEIGHT, WIDTH, Document, noise

FileChange = Callable[[Document, Path], object]
SIDE = 64
ORIENTATION = 0x0112


def named(name: str, on_disk: str | None = None) -> FileChange:
    """State `name` for the first image, which is called `on_disk`."""

    def apply(document: Document, images: Path) -> None:
        document["images"][0]["file_name"] = name
        if on_disk is not None:
            target = images / on_disk
            target.parent.mkdir(exist_ok=True)
            (images / "a.png").rename(target)

    return apply


def saved(name: str, make: Callable[[Image.Image], Image.Image], **options: Any) -> FileChange:
    """Save what `make` makes of the first image under another name."""

    def apply(document: Document, images: Path) -> None:
        make(Image.open(images / "a.png")).save(images / name, **options)
        document["images"][0]["file_name"] = name

    return apply


def sixteen_bit(document: Document, images: Path) -> None:
    picture = cv2.imread(str(images / "a.png"))
    cv2.imwrite(str(images / "a.png"), picture.astype(np.uint16) * 257)


def cut(document: Document, images: Path) -> None:
    content = (images / "a.png").read_bytes()
    (images / "a.png").write_bytes(content[: len(content) // 2])


def twin(document: Document, images: Path) -> None:
    Image.open(images / "a.png").save(images / "b.png", compress_level=0)


def similar(document: Document, images: Path) -> None:
    """The same picture, brighter by one."""
    pixels = np.asarray(Image.open(images / "a.png"))
    Image.fromarray(np.clip(pixels, 1, 254) + 1).save(images / "b.png")


def disc_picture() -> Image.Image:
    """A disc left of the middle, on noise."""
    picture = Image.blend(noise(5, (SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE), "grey"), 0.9)
    ImageDraw.Draw(picture).polygon(list(zip(*[iter(DIAMOND)] * 2, strict=True)), fill="white")
    return picture


DIAMOND = [4.0, 32.0, 16.0, 20.0, 28.0, 32.0, 16.0, 44.0]


def diamond(orientation: int, *, masks_turned: bool | None) -> FileChange:
    """A square picture that EXIF turns over, its mask drawn before or after; None: cannot tell."""

    def apply(document: Document, images: Path) -> None:
        picture = disc_picture() if masks_turned is not None else noise(6, (SIDE, SIDE))
        if masks_turned:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture.save(images / "a.png", exif=exif)
        document["images"][0] |= {"height": SIDE, "width": SIDE}
        document["annotations"][0] |= {
            "segmentation": [DIAMOND],
            "bbox": [4, 20, 24, 24],
            "area": 288,
        }

    return apply


def lying(document: Document, images: Path) -> None:
    """Stored 20 x 10, shown 10 x 20, stated as shown; the mask fits the stored one only."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.open(images / "a.png").save(images / "a.png", exif=exif)
    document["images"][0] |= {"height": WIDTH, "width": HEIGHT}
    ring = [2.0, 2.0, 18.0, 2.0, 18.0, 8.0]
    document["annotations"][0] |= {"segmentation": [ring], "bbox": [2, 2, 16, 6], "area": 48}


def stated_as_stored(document: Document, images: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.open(images / "a.png").save(images / "a.png", exif=exif)


def transparent(picture: Image.Image) -> Image.Image:
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def animated(document: Document, images: Path) -> None:
    frames = [noise(seed, (HEIGHT, WIDTH)) for seed in (7, 8)]
    frames[0].save(images / "a.png", save_all=True, append_images=frames[1:])


def grey_scale(document: Document, images: Path) -> None:
    Image.open(images / "b.png").convert("L").save(images / "b.png")


def lenient(document: Document, images: Path) -> None:
    """A name that opens here, and is another path elsewhere."""
    (images / "sub").mkdir()
    (images / "sub" / "a.png").symlink_to(images / "a.png")
    (images / "sub\\a.png").write_bytes((images / "a.png").read_bytes())
    document["images"][0]["file_name"] = "sub\\a.png"


FIRST = "images[0]"
FILE_CASES: list[tuple[str, FileChange, str]] = [
    ("image-missing", named("c.png"), "images[0].file_name"),
    ("image-missing", named("other\\c.png"), "images[0].file_name"),
    ("image-empty", lambda d, images: (images / "a.png").write_bytes(b""), "images[0].file_name"),
    ("image-unreadable", cut, "images[0].file_name"),
    ("image-path-backslash", named("sub\\a.png", "sub/a.png"), "images[0].file_name"),
    ("image-path-doubled", named("images/a.png"), "images[0].file_name"),
    ("image-path-case", named("A.PNG"), "images[0].file_name"),
    ("image-path-case", named("Sub/a.png", "sub/a.png"), "images[0].file_name"),
    ("image-path-case", named("images/A.png"), "images[0].file_name"),
    (
        "image-path-unicode",
        named(unicodedata.normalize("NFC", "ä.png"), unicodedata.normalize("NFD", "ä.png")),
        "images[0].file_name",
    ),
    ("image-path-lenient", lenient, "images[0].file_name"),
    ("image-size-exif", stated_as_stored, FIRST),
    ("image-exif-masks", lying, FIRST),
    ("image-exif-masks", diamond(2, masks_turned=False), FIRST),
    ("image-exif-undecided", diamond(2, masks_turned=None), FIRST),
    ("image-sixteen-bit", sixteen_bit, FIRST),
    ("image-cmyk", saved("a.jpg", lambda picture: picture.convert("CMYK")), FIRST),
    ("image-animated", animated, FIRST),
    ("image-see-through", saved("c.png", transparent), FIRST),
    ("image-palette", saved("c.png", lambda picture: picture.quantize(16)), FIRST),
    ("image-grey-mixed", grey_scale, "images[1]"),
    ("image-suffix", saved("a.jpg", lambda picture: picture, format="PNG"), FIRST),
    ("image-twice", twin, "images[1]"),
    ("image-similar", similar, "images[1]"),
]
NEAR_MISSES: list[tuple[str, FileChange]] = [
    ("image-exif-masks", diamond(2, masks_turned=True)),
    ("image-exif-undecided", diamond(2, masks_turned=True)),
    ("image-exif-undecided", diamond(1, masks_turned=None)),
    ("image-see-through", saved("c.png", lambda picture: picture.convert("RGBA"))),
    ("image-suffix", saved("a.JPEG", lambda picture: picture, format="JPEG")),
    ("image-path-backslash", named("sub/a.png", "sub/a.png")),
    ("image-path-lenient", named("./a.png")),
]
