"""The four things that scenes show: button, leaf, pencil and washer, as reliefs.

Shapes: s x s square that a thing fits into, centre in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.scenes.noise import Field, fractal, smooth_step

_RGB = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Relief:
    """Shape, colour and height of one thing seen from above, before light falls on it."""

    distance: Field  # (s, s) pixels to the outline, negative inside
    colour: NDArray[np.float32]  # (s, s, 3) sRGB in 0..1
    height: Field  # (s, s) pixels over the ground
    gloss: float  # strength of the highlights


@dataclass(frozen=True)
class Kind:
    """One class of things: its name, its usual length and how it is made."""

    name: str
    length_px: tuple[float, float]  # from, to; in a picture of 320 pixels
    make: Callable[[np.random.Generator, float], Relief]


def button(rng: np.random.Generator, length_px: float) -> Relief:
    """Return a round plastic button with a raised rim and two or four holes."""
    u, v = _turned_square(rng, length_px)
    radius = length_px / 2
    from_centre = np.hypot(u, v)
    spread = 0.24 * radius
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)] if rng.random() < 0.6 else [(-1.3, 0), (1.3, 0)]
    distance = from_centre - radius
    for x, y in corners:
        hole = 0.135 * radius - np.hypot(u - x * spread, v - y * spread)
        distance = np.maximum(distance, hole)
    rim = np.exp(-(((from_centre / radius - 0.86) / 0.09) ** 2))
    height = radius * 0.16 * rim + _bevel(distance, 0.1 * radius)
    marble = fractal(rng, u.shape, 0.5 * radius, octaves=3)
    colour = _pick(rng, _PLASTICS) * (1 + 0.05 * marble)[..., None]
    return Relief(*_as_fields(distance, colour, height), gloss=0.55)


def washer(rng: np.random.Generator, length_px: float) -> Relief:
    """Return a flat metal ring, brushed in circles, with one wide hole."""
    u, v = _turned_square(rng, length_px)
    radius = length_px / 2
    from_centre = np.hypot(u, v)
    hole = rng.uniform(0.46, 0.58) * radius
    distance = np.maximum(from_centre - radius, hole - from_centre)
    angle = np.arctan2(v, u)
    # Brushed metal mirrors a window as two opposite bright fans.
    fans = np.cos(2 * angle) + 0.4 * np.cos(4 * angle + 1.0)
    grooves = rng.standard_normal(len(u)).astype(np.float32)
    brushed = np.interp(from_centre, np.arange(len(u)) / 1.2, grooves)
    colour = _pick(rng, _METALS) * (1 + 0.2 * fans + 0.05 * brushed)[..., None]
    return Relief(*_as_fields(distance, colour, _bevel(distance, 0.09 * radius)), gloss=0.7)


def leaf(rng: np.random.Generator, length_px: float) -> Relief:
    """Return a pointed, slightly bent and toothed leaf with veins and a stalk."""
    u, v = _turned_square(rng, length_px)
    stalk = 0.2 * length_px
    blade = length_px - stalk
    v = v - rng.uniform(-0.5, 0.5) * (u**2 / length_px - 0.08 * length_px)
    along = (u + length_px / 2 - stalk) / blade  # 0 at the stalk, 1 at the tip
    inside = np.clip(along, 0.0, 1.0)
    half_width = rng.uniform(0.24, 0.31) * blade
    teeth = 1 + 0.05 * np.abs(np.sin(np.pi * 11 * inside))
    half_widths = half_width * 2.5 * inside**0.75 * (1 - inside) ** 0.85 * teeth
    beyond = np.maximum(-along, along - 1) * blade
    flank = (np.abs(v) - half_widths) * 0.85  # the outline runs slantwise to v
    blade_distance = np.maximum(flank, beyond)
    stalk_width = max(1.4, 0.018 * length_px)
    stalk_end = np.maximum(-u - length_px / 2 + 1, u + length_px / 2 - 1.3 * stalk)
    distance = np.minimum(blade_distance, np.maximum(np.abs(v) - stalk_width, stalk_end))

    side_veins = np.abs(np.sin(np.pi * 6.5 * (along - 0.9 * np.abs(v) / blade)))
    vein = np.maximum(
        1 - smooth_step(0.0, 0.16, side_veins.astype(np.float32)),
        1 - smooth_step(0.5 * stalk_width, 1.3 * stalk_width, np.abs(v).astype(np.float32)),
    )
    patches = fractal(rng, u.shape, 0.35 * length_px, octaves=4)
    colour = _pick(rng, _LEAVES) * (1 + 0.1 * patches - 0.16 * (along - 0.5))[..., None]
    colour = colour + vein[..., None] * np.array([0.13, 0.12, 0.05])
    height = 0.14 * np.abs(v) + 0.6 * patches - 0.7 * vein + _bevel(distance, 1.5)
    return Relief(*_as_fields(distance, colour, height), gloss=0.16)


def pencil(rng: np.random.Generator, length_px: float) -> Relief:
    """Return a short sharpened pencil: lead, cone of wood, painted body, ferrule, rubber."""
    u, v = _turned_square(rng, length_px)
    half_width = max(4.5, 0.078 * length_px)
    from_tip = length_px / 2 - u
    cone = 4.2 * half_width
    half_widths = half_width * np.clip(0.12 + 0.88 * from_tip / cone, 0.0, 1.0)
    ends = np.maximum(-from_tip, from_tip - length_px)
    distance = np.maximum(np.abs(v) - half_widths, ends)

    facet = np.abs(v) / half_width
    height = half_width * (1.2 - 0.6 * np.maximum(facet - 0.45, 0.0) - 0.55 * facet**2 * 0.5)
    scallops = cone + 0.5 * half_width * np.abs(np.sin(np.pi * 1.5 * v / half_width))
    grain = fractal(rng, u.shape, 6.0, octaves=2)
    colour = np.broadcast_to(_pick(rng, _PAINTS), (*u.shape, 3)) * (1 + 0.02 * grain)[..., None]
    light_facet = (facet < 0.45)[..., None]
    colour = np.where(light_facet, 1.08 * colour + 0.02, colour)
    wood = np.array([0.86, 0.68, 0.46]) * (1 + 0.06 * grain)[..., None]
    colour = np.where((from_tip < scallops)[..., None], wood, colour)
    colour = np.where((from_tip < 0.3 * cone)[..., None], [0.16, 0.16, 0.18], colour)
    from_end = length_px - from_tip
    ribs = 0.72 + 0.14 * np.sin(2 * np.pi * from_end / (0.42 * half_width))
    metal = ribs[..., None] * np.array([1.0, 0.97, 0.88])
    colour = np.where((from_end < 2.9 * half_width)[..., None], metal, colour)
    colour = np.where((from_end < 1.5 * half_width)[..., None], [0.88, 0.52, 0.52], colour)
    return Relief(*_as_fields(distance, colour, height), gloss=0.35)


KINDS: tuple[Kind, ...] = (
    Kind("button", (44.0, 88.0), button),
    Kind("leaf", (92.0, 150.0), leaf),
    Kind("pencil", (120.0, 180.0), pencil),
    Kind("washer", (48.0, 100.0), washer),
)
"""The classes in the order of their labels."""

_PLASTICS: tuple[_RGB, ...] = (
    *((0.80, 0.16, 0.17), (0.13, 0.36, 0.74), (0.93, 0.88, 0.78)),
    *((0.50, 0.20, 0.58), (0.95, 0.58, 0.12), (0.10, 0.55, 0.55)),
)
_METALS: tuple[_RGB, ...] = ((0.66, 0.68, 0.71), (0.74, 0.60, 0.34), (0.55, 0.56, 0.58))
_LEAVES: tuple[_RGB, ...] = (
    *((0.24, 0.48, 0.14), (0.38, 0.56, 0.16), (0.74, 0.60, 0.13)),
    *((0.70, 0.30, 0.10), (0.18, 0.38, 0.17)),
)
_PAINTS: tuple[_RGB, ...] = (
    *((0.93, 0.72, 0.10), (0.78, 0.14, 0.14), (0.12, 0.42, 0.26), (0.14, 0.30, 0.62)),
)


def _turned_square(rng: np.random.Generator, length_px: float) -> tuple[Field, Field]:
    """Return coordinates (u, v) of a square with room for `length_px`, turned at random."""
    half = int(np.ceil(length_px / 2)) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    x, y = x + rng.uniform(-0.5, 0.5), y + rng.uniform(-0.5, 0.5)  # not always on the pixel grid
    angle = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    return (
        np.asarray(cosine * x + sine * y, np.float32),
        np.asarray(cosine * y - sine * x, np.float32),
    )


def _bevel(distance: NDArray[np.floating], width: float) -> Field:
    """Return the height of an edge that rises as a quarter circle over `width` pixels."""
    inwards = np.clip(1 + distance / width, 0.0, 1.0)
    return np.asarray(width * np.sqrt(1 - inwards**2), np.float32)


def _pick(rng: np.random.Generator, colours: tuple[_RGB, ...]) -> NDArray[np.float64]:
    """Return one of the colours, a little off."""
    tint = rng.uniform(0.96, 1.04, 3) * rng.uniform(0.88, 1.08)
    return np.array(colours[rng.integers(len(colours))]) * tint


def _as_fields(
    distance: NDArray[np.floating], colour: NDArray[np.floating], height: NDArray[np.floating]
) -> tuple[Field, NDArray[np.float32], Field]:
    return (
        distance.astype(np.float32),
        np.clip(colour, 0.02, 1.0).astype(np.float32),
        height.astype(np.float32),
    )
