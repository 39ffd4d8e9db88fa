"""The grounds that things lie on: wood, cloth, stone and sand.

Shapes: h x w picture; colours (h, w, 3) are sRGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.scenes.noise import Field, fractal, sample, smooth_step

Colours = NDArray[np.float32]
Surface = Callable[[np.random.Generator, tuple[int, int]], Colours]


def wood(rng: np.random.Generator, size_hw: tuple[int, int]) -> Colours:
    """Return planks with year rings, fibres and dark joints, along or across the picture."""
    if rng.random() < 0.5:
        return np.ascontiguousarray(_planks(rng, size_hw[::-1]).transpose(1, 0, 2))
    return _planks(rng, size_hw)


def _planks(rng: np.random.Generator, size_hw: tuple[int, int]) -> Colours:
    height, width = size_hw
    dark, light = _choose(rng, _WOODS)
    plank_px = rng.uniform(0.24, 0.45) * height
    rows, columns = _grid(size_hw)
    offset = rows / plank_px + rng.random()
    across = (offset - np.floor(offset)) * plank_px
    number = np.floor(offset).astype(int)
    shift = rng.uniform(0, 4 * height, number.max() + 1)[number].astype(np.float32)
    shade = rng.uniform(-0.12, 0.12, number.max() + 1)[number].astype(np.float32)

    bend = fractal(rng, (height * 2, width), 0.5 * width, octaves=3, stretch=3.0)
    bend = sample(bend, columns, (rows + shift) % (2 * height))
    rings = np.sin((across + shift) * 0.16 + 3.2 * bend)
    fibres = fractal(rng, size_hw, 5.0, octaves=3, stretch=18.0)
    tone = 0.5 + 0.22 * rings + 0.13 * fibres + shade
    colours = _mix(dark, light, tone)
    joint = smooth_step(0.0, 2.2, np.minimum(across, plank_px - across).astype(np.float32))
    return colours * (0.35 + 0.65 * joint)[..., None]


def cloth(rng: np.random.Generator, size_hw: tuple[int, int]) -> Colours:
    """Return plain weave with uneven threads, soft folds and, at times, stripes."""
    rows, columns = _grid(size_hw)
    period = rng.uniform(4.0, 6.5)
    sway = 1.5 * fractal(rng, size_hw, 60.0, octaves=2)
    x, y = (columns + sway) / period, (rows + sway) / period
    over = np.where((np.floor(x) + np.floor(y)) % 2 == 0, 1.0, 0.0)
    warp, weft = np.abs(np.sin(np.pi * x)), np.abs(np.sin(np.pi * y))
    thread = over * warp + (1 - over) * weft
    dark, light = _choose(rng, _CLOTHS)
    tone = 0.3 + 0.55 * thread + 0.1 * fractal(rng, size_hw, 3.0, octaves=2)
    colours = _mix(dark, light, tone)
    if rng.random() < 0.5:
        stripes = np.sin(2 * np.pi * rows / rng.uniform(38.0, 70.0)) > 0.55
        colours = np.where(stripes[..., None], 0.55 * colours + 0.45 * light, colours)
    folds = fractal(rng, size_hw, 0.6 * max(size_hw), octaves=2, stretch=1.6)
    return np.asarray(colours * (1 + 0.07 * folds)[..., None], np.float32)


def stone(rng: np.random.Generator, size_hw: tuple[int, int]) -> Colours:
    """Return a slab with clouds, grains and a few light veins."""
    dark, light = _choose(rng, _STONES)
    clouds = fractal(rng, size_hw, 110.0, octaves=5)
    grains = fractal(rng, size_hw, 2.6, octaves=2)
    colours = _mix(dark, light, 0.5 + 0.17 * clouds + 0.1 * grains)
    specks = smooth_step(2.0, 2.6, fractal(rng, size_hw, 3.2, octaves=1))
    colours = colours * (1 - 0.45 * specks)[..., None]
    veins = 1 - smooth_step(0.0, 0.06, np.abs(fractal(rng, size_hw, 150.0, octaves=4)))
    return np.asarray(colours + (0.16 * veins * (0.6 + 0.2 * clouds))[..., None], np.float32)


def sand(rng: np.random.Generator, size_hw: tuple[int, int]) -> Colours:
    """Return grains in wind ripples, lit from the side."""
    rows, columns = _grid(size_hw)
    angle = rng.uniform(0, np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    ripple = np.sin(along / rng.uniform(9.0, 15.0) + 1.6 * fractal(rng, size_hw, 90.0, octaves=3))
    grains = rng.standard_normal(size_hw, dtype=np.float32)
    grains = 0.6 * grains + cv2.GaussianBlur(grains, (0, 0), 0.9)
    dark, light = _choose(rng, _SANDS)
    tone = 0.5 + 0.14 * ripple + 0.2 * grains
    return _mix(dark, light, tone)


SURFACES: tuple[Surface, ...] = (wood, cloth, stone, sand)

_WOODS = (
    ((0.33, 0.20, 0.11), (0.66, 0.46, 0.28)),
    ((0.52, 0.39, 0.26), (0.82, 0.69, 0.51)),
    ((0.24, 0.16, 0.12), (0.46, 0.33, 0.24)),
)
_CLOTHS = (
    ((0.42, 0.40, 0.37), (0.80, 0.77, 0.71)),
    ((0.20, 0.26, 0.36), (0.47, 0.55, 0.66)),
    ((0.40, 0.33, 0.29), (0.73, 0.63, 0.55)),
)
_STONES = (
    ((0.36, 0.37, 0.38), (0.68, 0.68, 0.67)),
    ((0.20, 0.22, 0.24), (0.43, 0.45, 0.47)),
    ((0.60, 0.57, 0.53), (0.87, 0.85, 0.81)),
)
_SANDS = (
    ((0.60, 0.49, 0.35), (0.88, 0.79, 0.63)),
    ((0.47, 0.42, 0.37), (0.76, 0.71, 0.64)),
)


def _choose(
    rng: np.random.Generator,
    pairs: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...],
) -> tuple[Colours, Colours]:
    """Return one pair of a dark and a light colour, each (3,)."""
    dark, light = pairs[rng.integers(len(pairs))]
    return np.array(dark, np.float32), np.array(light, np.float32)


def _grid(size_hw: tuple[int, int]) -> tuple[Field, Field]:
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]].astype(np.float32)
    return rows, columns


def _mix(dark: Colours, light: Colours, tone: Field) -> Colours:
    """Return colours (h, w, 3) from `dark` at tone 0 to `light` at tone 1."""
    share = np.clip(tone, -0.2, 1.2)[..., None]
    return np.asarray(dark + (light - dark) * share, np.float32)
