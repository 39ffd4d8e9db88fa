"""Random changes to a training image that its instances follow.

Shapes: H x W image, h x w changed image, n instances, k instances left.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtune.data.albumentations_offline import albumentations
from segtune.data.placement import Placement
from segtune.data.random_window import RandomWindow
from segtune.recipe import AugmentRecipe

# As in ppdet/data/transform/operators.py, RandomDistort.
FACTORS = (0.5, 1.5)  # of brightness, contrast and saturation
HUE_TURNS = (-18 / 255, 18 / 255)  # parts of a full turn
SHARE = 0.5  # probability of each of the four


@dataclass(frozen=True, eq=False)
class Augmented:
    """A changed image, the instances that are left on it, and how masks follow."""

    image: NDArray[np.uint8]  # (h, w, 3)
    boxes: NDArray[np.float32]  # (k, 4) pixels of `image`
    kept: NDArray[np.int64]  # (k,) rows of the boxes that were given
    placement: Placement  # of `image` on the original


class Augmentation:
    """Distort colours, expand, crop and mirror, as a recipe says.

    Masks do not pass through: the result says which instances are left and where each of its
    pixels lay in the original, so that only the masks that are needed are rasterised.
    """

    def __init__(self, recipe: AugmentRecipe) -> None:
        self._window = RandomWindow(recipe.expand, recipe.expand_ratio, recipe.crop)
        self._flip = albumentations.HorizontalFlip(p=recipe.flip)
        self._all = albumentations.Compose(
            [_distortion(recipe.distort), self._window, self._flip],
            bbox_params=albumentations.BboxParams(
                format="pascal_voc",
                label_fields=["rows"],
                clip=True,
                filter_invalid_bboxes=True,  # without area there is nothing to learn from
                check_each_transform=False,  # after the last is enough, and saves a millisecond
            ),
        )

    def __call__(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32], *, seed: int
    ) -> Augmented:
        """Return a change of the image (H, W, 3) and its boxes (n, 4) that `seed` alone decides."""
        # Not Compose.set_random_seed: that gives every transform a generator of its own with the
        # same seed, so that all of them draw the same numbers and, say, mirror when they expand.
        self._all.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed = self._all(image=image, bboxes=boxes, rows=np.arange(len(boxes)))
        window = self._window.get_applied_params()["window"]
        mirrored = bool(self._flip.get_applied_params())
        left = np.asarray(changed["bboxes"], np.float32).reshape(-1, 4)
        return Augmented(
            changed["image"],
            window.clip(left),
            np.asarray(changed["rows"], np.int64),
            Placement(window, mirrored),
        )


def _distortion(probability: float) -> albumentations.RandomOrder:
    """Return a change of colours: any of four operations, in random order."""
    unchanged = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    ranges = {"brightness": FACTORS, "contrast": FACTORS, "saturation": FACTORS, "hue": HUE_TURNS}
    operations = [
        albumentations.ColorJitter(**{**unchanged, quantity: values}, p=SHARE)
        for quantity, values in ranges.items()
    ]
    return albumentations.RandomOrder(operations, n=len(operations), p=probability)
