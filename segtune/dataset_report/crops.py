"""The picture of an annotation as it stands in its file, in the middle of its surroundings.

Shapes: H x W image, h x w part of it, P points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.dataset_report.shapes import Shape

Colour = tuple[int, int, int]  # RGB

SIZE_HW = (360, 480)  # 3 : 4
"""Of every picture, so that they stand in rows."""
MASK_COLOUR: Colour = (255, 64, 140)
BOX_COLOUR: Colour = (0, 200, 255)
NEIGHBOUR_COLOUR: Colour = (255, 255, 255)
STATED_COLOUR: Colour = (255, 208, 0)

_CASING: Colour = (16, 18, 22)  # under every line, so that it shows on any picture
_OUTSIDE = (206, 226)  # greys of the hatching where there is no image
_HATCH_PX = 12
_CONTEXT = 0.45  # of the longer side, added on each side
_LEAST_CONTEXT_PX = 14.0
_LEAST_SIDE_PX = 40.0  # of the window
_REACH = 1.0  # sides of the image that a window may go beyond it
_TINT = 0.35
_POINTS_MARKED = 60  # of a ring; more would hide it
_SUBPIXEL_BITS = 4
_DASH_PX = 12
_LEAST_BOX_PX = 10  # on the picture, so that a box without area is seen


@dataclass(frozen=True)
class _Window:
    """The part of the image that is shown, whole pixels, and its scale."""

    left: int
    top: int
    width: int
    height: int

    @property
    def scale(self) -> float:
        return SIZE_HW[1] / self.width

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (P, 2) of the image to the picture."""
        return (points - [self.left, self.top]) * self.scale


def draw_annotation(
    image: NDArray[np.uint8], shape: Shape, neighbours: Sequence[Shape] = ()
) -> NDArray[np.uint8] | None:
    """Return a picture of `SIZE_HW` around one annotation; None when nothing of it is near.

    Args:
        image: RGB (H, W, 3), left as it is.
        shape: What is drawn, its mask filled and its box dashed.
        neighbours: Other annotations of the image, drawn as thin lines.
    """
    extent = shape.extent
    if extent is None:
        return None
    window = _window_around(extent, image.shape[:2])
    if window is None:
        return None
    canvas = _backdrop(image, window)
    for neighbour in neighbours:
        _draw_outlines(canvas, neighbour, window, NEIGHBOUR_COLOUR, thickness=1)
    _draw_shape(canvas, shape, window)
    return canvas


def draw_image(
    image: NDArray[np.uint8], shapes: Sequence[Shape], stated_hw: tuple[int, int] | None
) -> NDArray[np.uint8]:
    """Return a picture of `SIZE_HW` of a whole image with all its annotations.

    Args:
        image: RGB (H, W, 3), left as it is.
        shapes: Its annotations.
        stated_hw: The size that the file states; drawn as a frame where it is another one.
    """
    height, width = image.shape[:2]
    shown = np.array([0.0, 0.0, width, height])
    differs = stated_hw is not None and stated_hw != (height, width)
    if differs and stated_hw is not None:
        farthest = (1 + _REACH) * shown[2:]
        shown[2:] = np.maximum(shown[2:], np.minimum(stated_hw[::-1], farthest))
    window = _fit(shown, shown, (height, width))
    canvas = _backdrop(image, window)
    for shape in shapes:
        _draw_shape(canvas, shape, window)
    if differs and stated_hw is not None:
        corners = np.array([0.0, 0.0, stated_hw[1], stated_hw[0]])
        _draw_dashed(canvas, corners, window, STATED_COLOUR)
    return canvas


def _window_around(extent: NDArray[np.float64], size_hw: tuple[int, int]) -> _Window | None:
    """Return the window that shows an extent (4,) with context; None when it is far off."""
    height, width = size_hw
    image = np.array([0.0, 0.0, width, height])
    limits = image + _REACH * np.array([-width, -height, width, height])
    near = np.concatenate([np.maximum(extent[:2], limits[:2]), np.minimum(extent[2:], limits[2:])])
    if (near[2:] < near[:2]).any():
        return None
    is_inside = (extent[:2] < image[2:]).all() and (extent[2:] > 0).all()
    if not is_inside:  # show where it lies, seen from the image
        near = np.concatenate([np.minimum(near[:2], 0), np.maximum(near[2:], image[2:])])
    margin = max(_LEAST_CONTEXT_PX, _CONTEXT * float((near[2:] - near[:2]).max()))
    around = near + np.array([-margin, -margin, margin, margin])
    if is_inside:  # the image is context enough
        lows = np.minimum(near[:2] - _LEAST_CONTEXT_PX, 0)
        highs = np.maximum(near[2:] + _LEAST_CONTEXT_PX, image[2:])
        around = np.concatenate([np.maximum(around[:2], lows), np.minimum(around[2:], highs)])
    return _fit(around, near, size_hw)


def _fit(
    shown: NDArray[np.float64], subject: NDArray[np.float64], size_hw: tuple[int, int]
) -> _Window:
    """Return the least window around `shown` (4,) that has the pictures' ratio of sides.

    It stays inside the image where there is room and its `subject` (4,) does so too.
    """
    units = np.array([4.0, 3.0])  # the ratio in whole pixels, so that no row is left over
    sides = np.maximum(shown[2:] - shown[:2], _LEAST_SIDE_PX)
    window_wh = units * np.ceil((sides / units).max())
    corner = (shown[:2] + shown[2:] - window_wh) / 2
    for axis in (0, 1):
        room = size_hw[1 - axis] - window_wh[axis]
        reaches_out = subject[axis] < -1 or subject[axis + 2] > size_hw[1 - axis] + 1
        if room >= 0 and not reaches_out:
            corner[axis] = np.clip(corner[axis], 0, room)
    left, top = np.floor(corner).astype(int).tolist()
    return _Window(left, top, int(window_wh[0]), int(window_wh[1]))


def _backdrop(image: NDArray[np.uint8], window: _Window) -> NDArray[np.uint8]:
    """Return the window of the image, hatched where there is no image."""
    height, width = SIZE_HW
    ys, xs = np.indices(SIZE_HW)
    stripes = (xs + ys) // _HATCH_PX % 2
    canvas = np.where(stripes, *_OUTSIDE)[:, :, None].repeat(3, axis=2).astype(np.uint8)
    x1, y1 = max(window.left, 0), max(window.top, 0)
    x2 = min(window.left + window.width, image.shape[1])
    y2 = min(window.top + window.height, image.shape[0])
    if x2 <= x1 or y2 <= y1:
        return canvas
    corners = window.to_picture(np.array([[x1, y1], [x2, y2]], np.float64))
    (left, top), (right, bottom) = np.rint(corners).astype(int).tolist()
    right, bottom = min(max(right, left + 1), width), min(max(bottom, top + 1), height)
    left, top = min(left, right - 1), min(top, bottom - 1)
    part = image[y1:y2, x1:x2]
    way = cv2.INTER_AREA if window.scale < 1 else cv2.INTER_CUBIC
    if window.scale > 4:
        way = cv2.INTER_NEAREST  # so that pixels can be counted
    canvas[top:bottom, left:right] = cv2.resize(
        part, (right - left, bottom - top), interpolation=way
    )
    return canvas


def _draw_shape(canvas: NDArray[np.uint8], shape: Shape, window: _Window) -> None:
    tinted = canvas.copy()
    if shape.bitmap is not None:
        tinted[_bitmap_on_picture(shape.bitmap, window)] = MASK_COLOUR
    for ring in shape.rings:
        if len(ring) > 2:
            cv2.fillPoly(
                tinted, [_fixed(window.to_picture(ring))], MASK_COLOUR, shift=_SUBPIXEL_BITS
            )
    cv2.addWeighted(tinted, _TINT, canvas, 1 - _TINT, 0, dst=canvas)
    _draw_outlines(canvas, shape, window, MASK_COLOUR, thickness=3)
    if shape.box is not None:
        _draw_dashed(canvas, shape.box, window, BOX_COLOUR)


def _draw_outlines(
    canvas: NDArray[np.uint8], shape: Shape, window: _Window, colour: Colour, *, thickness: int
) -> None:
    lines = [(_fixed(window.to_picture(ring)), _SUBPIXEL_BITS) for ring in shape.rings]
    if shape.bitmap is not None:
        on_picture = _bitmap_on_picture(shape.bitmap, window).astype(np.uint8)
        found, _ = cv2.findContours(on_picture, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        lines += [(contour, 0) for contour in found]
    for pen, width in ((_CASING, thickness + 3), (colour, thickness)):
        for points, shift in lines:
            cv2.polylines(canvas, [points], True, pen, width, cv2.LINE_AA, shift)
    for ring in shape.rings:
        if thickness > 1 and len(ring) <= _POINTS_MARKED:
            for x, y in np.rint(window.to_picture(ring)).astype(int).clip(-999, 9999).tolist():
                cv2.circle(canvas, (x, y), 5, _CASING, -1, cv2.LINE_AA)
                cv2.circle(canvas, (x, y), 3, colour, -1, cv2.LINE_AA)


def _draw_dashed(
    canvas: NDArray[np.uint8], box: NDArray[np.float64], window: _Window, colour: Colour
) -> None:
    """Draw a box (4,) of the image, cut just outside the picture, as dashes."""
    corners = window.to_picture(box.reshape(2, 2))
    height, width = SIZE_HW
    too_small = np.abs(corners[1] - corners[0]) < _LEAST_BOX_PX
    corners = corners + np.array([[-1], [1]]) * np.where(too_small, _LEAST_BOX_PX / 2, 0)
    (x1, y1), (x2, y2) = corners.clip([-9, -9], [width + 9, height + 9]).tolist()
    sides = (((x1, y1), (x2, y1)), ((x2, y1), (x2, y2)), ((x2, y2), (x1, y2)), ((x1, y2), (x1, y1)))
    for pen, thickness in ((_CASING, 6), (colour, 3)):
        for start, end in sides:
            _dash(canvas, np.array(start), np.array(end), pen, thickness)


def _dash(
    canvas: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    pen: Colour,
    thickness: int,
) -> None:
    length = float(np.hypot(*(end - start)))
    count = max(1, round(length / _DASH_PX) // 2 * 2 + 1)
    for number in range(0, count, 2):
        some = [start + (end - start) * (number + step) / count for step in (0, 1)]
        first, last = (tuple(np.rint(point).astype(int).tolist()) for point in some)
        cv2.line(canvas, first, last, pen, thickness)


def _bitmap_on_picture(bitmap: NDArray[np.bool_], window: _Window) -> NDArray[np.bool_]:
    """Return which pixels of the picture a bitmap (h, w) of the image covers."""
    height, width = SIZE_HW
    # The middle of every pixel of the picture, in pixels of the image.
    xs = np.floor((np.arange(width) + 0.5) / window.scale + window.left).astype(int)
    ys = np.floor((np.arange(height) + 0.5) / window.scale + window.top).astype(int)
    inside_x = (xs >= 0) & (xs < bitmap.shape[1])
    inside_y = (ys >= 0) & (ys < bitmap.shape[0])
    rows = bitmap[ys.clip(0, bitmap.shape[0] - 1)]
    covered = rows[:, xs.clip(0, bitmap.shape[1] - 1)]
    found: NDArray[np.bool_] = covered & inside_y[:, None] & inside_x[None]
    return found


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return points (P, 2) in the fixed-point numbers that OpenCV draws fractions with.

    A coordinate of COCO is an edge between pixels, one of OpenCV the middle of a pixel.
    """
    limit = 2.0**25
    scaled = np.rint((points - 0.5) * 2**_SUBPIXEL_BITS).clip(-limit, limit)
    fixed: NDArray[np.int32] = scaled.astype(np.int32).reshape(-1, 1, 2)
    return fixed
