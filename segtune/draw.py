"""The overlay: instances drawn over the picture they were found in.

Shapes: n instances, H x W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segtune import masks
from segtune.categories import Categories
from segtune.fonts import font_for
from segtune.instances import Instances

Colour = tuple[int, int, int]  # RGB
Tags = Literal["name and score", "name", "none"]
Rectangle = tuple[int, int, int, int]  # xyxy, right and bottom exclusive

_FILL_OPACITY = 0.42  # lets the texture below show, and tells neighbours apart
_TOLERATED_OVERLAP = 0.12  # of a tag's area; its text still reads
_TAGS_SHARE = 0.3  # of the picture that tags may cover
_TAGS_SHARE_OF_TINY = 0.15  # where letters cannot be small enough
_TINY_PIXELS = 200 * 200
_GOLDEN_ANGLE = 137.508  # degrees; keeps any number of hues well apart


@dataclass(frozen=True)
class _Pens:
    """Widths in pixels that suit the size of a picture."""

    contour: int
    box: int
    text: int

    @classmethod
    def for_size(cls, size_hw: tuple[int, int]) -> _Pens:
        side = (size_hw[0] * size_hw[1]) ** 0.5
        return cls(
            contour=max(1, round(side / 330)),
            box=max(1, round(side / 800)),
            text=max(9, round(side / 42)),
        )


def overlay(
    image: NDArray[np.uint8],
    instances: Instances,
    categories: Categories,
    *,
    threshold: float = 0.0,
    tags: Tags = "name and score",
) -> NDArray[np.uint8]:
    """Return a copy of an RGB image (H, W, 3) with masks, contours, boxes and labels drawn in.

    A class has its hue and an instance its shade of it, so colours mean the same in all
    pictures of a dataset. Line widths and text follow the size of the picture.

    Args:
        image: The picture, left as it is.
        instances: What to draw; must belong to a picture of this size.
        categories: Names for the labels.
        threshold: Lowest score that is drawn.
        tags: What the labels say; what people drew has no score.
    """
    if instances.size_hw != image.shape[:2]:
        raise ValueError(f"instances of {instances.size_hw} on an image of {image.shape[:2]}")
    canvas = image.copy()
    shown = instances.select(instances.scores >= threshold)
    if len(shown) == 0:
        return canvas
    pens = _Pens.for_size(instances.size_hw)
    colours = _colours(shown.labels)
    _paint_masks(canvas, shown, colours, pens)
    for box, colour in zip(shown.boxes, colours, strict=True):
        left, top, right, bottom = (round(float(side)) for side in box)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, pens.box)
    if tags == "none":
        return canvas
    texts = [categories[int(label)].name for label in shown.labels]
    if tags == "name and score":
        texts = [f"{name} {score:.2f}" for name, score in zip(texts, shown.scores, strict=True)]
    return _paint_tags(canvas, shown, texts, colours, pens)


def _colours(labels: NDArray[np.int64]) -> list[Colour]:
    """Return one colour an instance: hue by label, shade by its turn among those of its label."""
    turns: dict[int, int] = {}
    colours = []
    for label in labels.tolist():
        turn = turns.get(label, 0)
        turns[label] = turn + 1
        hue = 25.0 + label * _GOLDEN_ANGLE + (0, 16, -16)[turn % 3]
        colours.append(_oklch(lightness=(0.72, 0.62, 0.82)[turn // 3 % 3], hue_degrees=hue))
    return colours


def _oklch(*, lightness: float, hue_degrees: float, chroma: float = 0.17) -> Colour:
    """Return the sRGB colour of an OKLCH one, in which equal steps look equally far apart.

    The matrices are those of https://bottosson.github.io/posts/oklab.
    """
    hue = np.deg2rad(hue_degrees)
    lab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    to_lms = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(to_rgb @ (to_lms @ lab) ** 3, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * encoded).astype(int).tolist()
    return red, green, blue


def _paint_masks(
    canvas: NDArray[np.uint8], shown: Instances, colours: Sequence[Colour], pens: _Pens
) -> None:
    """Tint every mask, then draw all contours, so that no tint dims a neighbour's contour."""
    outlines: list[tuple[Sequence[NDArray[np.int32]], Colour]] = []
    for rle, colour in zip(shown.rles, colours, strict=True):
        left, top, right, bottom = box = masks.occupied_box(rle)
        if left == right:
            continue  # a mask without a pixel
        bitmap = np.ascontiguousarray(masks.decode_box(rle, box)).view(np.uint8)
        window = (slice(top, bottom), slice(left, right))
        tinted = cv2.LUT(canvas[window], _tint(colour))
        cv2.copyTo(tinted, bitmap, canvas[window])
        rings, _ = cv2.findContours(  # outer rings and holes
            bitmap, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top)
        )
        outlines.append((rings, colour))
    for rings, colour in outlines:
        cv2.drawContours(canvas, rings, -1, colour, pens.contour, cv2.LINE_AA)


def _tint(colour: Colour) -> NDArray[np.uint8]:
    """Return the table (1, 256, 3) from a pixel's channels to those under a tint of `colour`."""
    before = np.arange(256.0)[None, :, None]
    after = before * (1 - _FILL_OPACITY) + np.array(colour) * _FILL_OPACITY
    return np.rint(after).astype(np.uint8)


def _paint_tags(
    canvas: NDArray[np.uint8],
    shown: Instances,
    texts: Sequence[str],
    colours: Sequence[Colour],
    pens: _Pens,
) -> NDArray[np.uint8]:
    written = [font_for(text, pens.text) for text in texts]
    padding = max(2, round(0.3 * pens.text))
    sizes_wh = []
    for font, text in written:
        ascent, descent = font.getmetrics()
        width = int(np.ceil(font.getlength(text))) + 2 * padding
        sizes_wh.append((width, min(ascent + descent, round(1.3 * pens.text)) + padding // 2))
    spots = _place_tags(shown, sizes_wh)
    picture = Image.fromarray(canvas)
    pencil = ImageDraw.Draw(picture)
    for row, (left, top, right, bottom) in spots.items():
        pencil.rounded_rectangle(
            (left, top, right - 1, bottom - 1), radius=padding // 2, fill=colours[row]
        )
        font, text = written[row]
        pencil.text(
            (left + padding, (top + bottom) / 2), text, _ink(colours[row]), font, anchor="lm"
        )
    return np.array(picture)


def _place_tags(shown: Instances, sizes_wh: Sequence[tuple[int, int]]) -> dict[int, Rectangle]:
    """Return where tags go, by row: near their box, inside the picture, not on one another.

    The surest instances choose first. A tag that finds its places taken is left out, since two
    tags on top of each other tell less than one; so are those that would hide a tiny picture.
    """
    height, width = shown.size_hw
    spots: dict[int, Rectangle] = {}
    taken = np.zeros((0, 4))
    is_tiny = height * width < _TINY_PIXELS
    room = (_TAGS_SHARE_OF_TINY if is_tiny else _TAGS_SHARE) * height * width
    for row in np.argsort(-shown.scores, kind="stable").tolist():
        tag_width, tag_height = sizes_wh[row]
        corners = _candidate_corners(shown.boxes[row], tag_width, tag_height)
        corners = np.clip(corners, 0, [max(0, width - tag_width), max(0, height - tag_height)])
        corners = np.rint(corners)
        far_corners = corners + np.array([tag_width, tag_height])
        rectangles = np.concatenate([corners, far_corners], axis=1)  # (c, 4)
        shared = _overlap(rectangles, taken)
        choice = np.argmin(shared)  # the first of equals: candidates stand in order of preference
        tag_area = tag_width * tag_height
        crowded = shared[choice] > _TOLERATED_OVERLAP * tag_area
        if crowded or room < tag_area:
            continue
        room -= tag_area
        taken = np.concatenate([taken, rectangles[None, choice]])
        left, top, right, bottom = rectangles[choice].astype(int).tolist()
        spots[row] = (left, top, right, bottom)
    return spots


def _candidate_corners(
    box: NDArray[np.float32], tag_width: int, tag_height: int
) -> NDArray[np.float64]:
    """Return the top left corners (c, 2) that a tag may take beside its box, best first."""
    left, top, right, bottom = box.tolist()
    columns = (left, right - tag_width, (left + right - tag_width) / 2)
    middle = (top + bottom - tag_height) / 2
    rows = (
        *(top - tag_height, top, bottom, bottom - tag_height),
        *(middle, middle - tag_height, middle + tag_height),
        *(top - 2 * tag_height, bottom + tag_height),
    )
    return np.array([(column, row) for row in rows for column in columns])


def _overlap(rectangles: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area (c,) that each of c rectangles shares with t taken ones."""
    low = np.maximum(rectangles[:, None, :2], taken[None, :, :2])  # (c, t, 2)
    high = np.minimum(rectangles[:, None, 2:], taken[None, :, 2:])
    area: NDArray[np.float64] = np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)  # (c,)
    return area


def _ink(background: Colour) -> Colour:
    """Return black or white, whichever reads better on `background`."""
    luma = np.dot(background, (0.299, 0.587, 0.114))
    return (0, 0, 0) if luma > 128 else (255, 255, 255)
