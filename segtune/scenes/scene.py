"""One scene: things laid on a ground, photographed, with the mask of what can be seen of each.

Shapes: h x w picture, s x s square around a thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segtune.scenes.light import Colours, Lamp, photograph, shade, shadow
from segtune.scenes.surfaces import SURFACES
from segtune.scenes.things import KINDS, Relief, button

Content = Literal["things", "nothing", "heap"]

_FEWEST, _MOST = 3, 8  # things in a scene
_TRIES = 40
_SHARE_INSIDE = 0.75  # of a thing that lies within the picture
_SHARE_VISIBLE = 0.5  # of a thing inside the picture that later ones leave open
_THICKNESS = {"button": 5.0, "leaf": 3.0, "pencil": 8.0, "washer": 4.0}  # pixels at 320


@dataclass(frozen=True, eq=False)
class Seen:
    """What a picture shows of one thing, or of a heap of them."""

    label: int
    bitmap: NDArray[np.bool_]  # (h, w)
    is_crowd: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and all that it shows."""

    image: NDArray[np.uint8]  # (h, w, 3)
    seen: tuple[Seen, ...]


def draw_scene(rng: np.random.Generator, size_hw: tuple[int, int], content: Content) -> Scene:
    """Return a scene with things, with nothing, or with things and a heap of buttons.

    Masks hold the pixels of which a thing covers at least half and nothing above it does.
    """
    lamp = Lamp.somewhere(rng)
    table = _Table(rng, lamp, size_hw)
    if content == "heap":
        table.pour_heap()
    if content != "nothing":
        most = _MOST if content == "things" else _FEWEST + 1
        for label in _labels(rng, int(rng.integers(_FEWEST, most + 1))):
            table.lay(label)
    return Scene(photograph(rng, table.colours, lamp), table.seen())


def _labels(rng: np.random.Generator, count: int) -> list[int]:
    """Return labels in random order, each as often as the others as far as possible."""
    decks = [rng.permutation(len(KINDS)) for _ in range(-(-count // len(KINDS)))]
    labels: list[int] = np.concatenate(decks)[:count].tolist()
    return labels


class _Table:
    """A ground with things lying on it, later ones on top of earlier ones."""

    def __init__(self, rng: np.random.Generator, lamp: Lamp, size_hw: tuple[int, int]) -> None:
        self._rng = rng
        self._lamp = lamp
        self._scale = min(size_hw) / 320
        surface = SURFACES[rng.integers(len(SURFACES))]
        self.colours: Colours = surface(rng, size_hw)
        self._owners = np.full(size_hw, -1, np.int64)  # which thing is on top at a pixel
        self._labels: list[int] = []
        self._crowds: list[bool] = []
        self._areas: list[int] = []  # of each thing when nothing lay on it yet

    def lay(self, label: int) -> None:
        """Lay a thing where it hides no other too much; leave it out if there is no such place."""
        kind = KINDS[label]
        relief = kind.make(self._rng, self._rng.uniform(*kind.length_px) * self._scale)
        height, width = self._owners.shape
        side = len(relief.distance)
        for _ in range(_TRIES):
            top = int(self._rng.integers(-side // 2, height - side // 2))
            left = int(self._rng.integers(-side // 2, width - side // 2))
            if self._fits(relief, top, left):
                self._paint(relief, top, left, len(self._labels), _THICKNESS[kind.name])
                self._labels.append(label)
                self._crowds.append(False)
                self._areas.append(int(np.count_nonzero(self._owners == len(self._areas))))
                return

    def pour_heap(self) -> None:
        """Pour small buttons on one spot, too close together to be told apart."""
        height, width = self._owners.shape
        centre = self._rng.uniform(0.3, 0.7, 2) * (height, width)
        for _ in range(int(self._rng.integers(14, 20))):
            relief = button(self._rng, self._rng.uniform(22, 32) * self._scale)
            spot = centre + self._rng.normal(0, 20 * self._scale, 2) - len(relief.distance) / 2
            top, left = np.rint(spot).astype(int).tolist()
            self._paint(relief, top, left, 0, 0.7 * _THICKNESS["button"])
        self._labels.append([kind.name for kind in KINDS].index("button"))
        self._crowds.append(True)
        self._areas.append(int(np.count_nonzero(self._owners == 0)))

    def seen(self) -> tuple[Seen, ...]:
        """Return what can be seen of each thing."""
        return tuple(
            Seen(label, self._owners == owner, is_crowd)
            for owner, (label, is_crowd) in enumerate(zip(self._labels, self._crowds, strict=True))
        )

    def _fits(self, relief: Relief, top: int, left: int) -> bool:
        on_table, on_square = self._windows(len(relief.distance), top, left)
        solid = relief.distance <= 0
        inside = solid[on_square]
        if np.count_nonzero(inside) < _SHARE_INSIDE * np.count_nonzero(solid):
            return False
        before = np.bincount(self._owners.ravel() + 1, minlength=len(self._areas) + 1)[1:]
        hidden = np.bincount(self._owners[on_table][inside] + 1, minlength=len(self._areas) + 1)[1:]
        return bool(np.all(before - hidden >= _SHARE_VISIBLE * np.array(self._areas, np.int64)))

    def _paint(self, relief: Relief, top: int, left: int, owner: int, thickness: float) -> None:
        on_table, on_square = self._windows(len(relief.distance), top, left)
        cover = np.zeros(self._owners.shape, np.float32)
        cover[on_table] = np.clip(0.5 - relief.distance[on_square], 0, 1)
        self.colours *= shadow(cover, thickness * self._scale, self._lamp)[..., None]
        opacity = cover[on_table][..., None]
        self.colours[on_table] *= 1 - opacity
        self.colours[on_table] += opacity * shade(relief, self._lamp)[on_square]
        self._owners[cover >= 0.5] = owner

    def _windows(
        self, side: int, top: int, left: int
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where a square of `side` overlaps the table: on the table, and on the square."""
        height, width = self._owners.shape
        bottom, right = min(top + side, height), min(left + side, width)
        above, before = max(top, 0), max(left, 0)
        return (
            (slice(above, bottom), slice(before, right)),
            (slice(above - top, bottom - top), slice(before - left, right - left)),
        )
