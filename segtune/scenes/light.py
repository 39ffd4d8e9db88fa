"""Light: how it shades things, throws their shadows, and reaches the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.scenes.noise import Field
from segtune.scenes.things import Relief

Colours = NDArray[np.float32]


@dataclass(frozen=True)
class Lamp:
    """One far lamp: unit vector towards it as x to the right, y down, z to the camera."""

    x: float
    y: float
    z: float

    @classmethod
    def somewhere(cls, rng: np.random.Generator) -> Lamp:
        """Return a lamp at a random place well above the ground."""
        azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(42, 62))
        reach = float(np.cos(elevation))
        return cls(
            reach * float(np.cos(azimuth)), reach * float(np.sin(azimuth)), float(np.sin(elevation))
        )


def shade(relief: Relief, lamp: Lamp) -> Colours:
    """Return the colours (s, s, 3) of a thing under the lamp, highlights included."""
    slope_y, slope_x = np.gradient(relief.height)
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    # 1 where the surface lies flat, so that a thing keeps its own colour there.
    lit = np.clip((lamp.z - slope_x * lamp.x - slope_y * lamp.y) / length, 0, None) / lamp.z
    half = np.array([lamp.x, lamp.y, lamp.z + 1.0])
    half /= np.linalg.norm(half)
    mirror = np.clip((half[2] - slope_x * half[0] - slope_y * half[1]) / length, 0, 1) ** 48
    colours = relief.colour * (0.42 + 0.58 * lit)[..., None]
    return np.asarray(colours + (relief.gloss * mirror)[..., None], np.float32)


def shadow(cover: Field, thickness_px: float, lamp: Lamp) -> Field:
    """Return how much light (h, w), 0..1, a thing of that coverage leaves on what lies below."""
    reach = thickness_px / lamp.z
    soft = _moved(cover, -lamp.x * reach, -lamp.y * reach, blur_px=0.45 * thickness_px)
    contact = _moved(cover, 0.0, 0.0, blur_px=1.6)
    return (1 - 0.5 * soft) * (1 - 0.3 * contact)


def photograph(rng: np.random.Generator, colours: Colours, lamp: Lamp) -> NDArray[np.uint8]:
    """Return the scene (h, w, 3) as a plain camera sees it: uneven, a bit soft and noisy."""
    height, width = colours.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = 1 + rng.uniform(0.06, 0.2) * (x * lamp.x + y * lamp.y)
    vignette = 1 - rng.uniform(0.06, 0.18) * (x**2 + y**2)
    balance = rng.uniform(0.95, 1.05, 3)
    exposure = rng.uniform(0.92, 1.12)
    seen = colours * (exposure * ramp * vignette)[..., None] * balance
    seen = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), rng.uniform(0.35, 0.65))
    seen += rng.normal(0, rng.uniform(0.006, 0.016), seen.shape)
    return np.asarray(np.rint(255 * np.clip(seen, 0, 1)), np.uint8)


def _moved(cover: Field, x: float, y: float, *, blur_px: float) -> Field:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(cover, matrix, cover.shape[::-1])
    blurred: Field = cv2.GaussianBlur(moved, (0, 0), blur_px)
    return blurred
