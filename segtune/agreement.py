"""How far two engines that should predict the same are apart.

Shapes: n instances, H x W image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segtune import boxes, masks
from segtune.instances import Instances
from segtune.masks import Rle

MAX_BOX_PX = 0.01
MAX_SCORE = 1e-4
MIN_MASK_IOU = 0.999
TIE_PX = 1.0  # a rival lies further off than numbers drift
TIE_IOU = 0.5  # boxes that overlap more than this may suppress one another
MAX_TIES = 0.02  # share of instances; as many as tests/parity allows
COMPARED_INSTANCES = 50  # of each image, the best; those of lower score vary with suppression


@dataclass(frozen=True)
class Limits:
    """How far two engines that run one network may be apart."""

    box_px: float = MAX_BOX_PX
    score: float = MAX_SCORE
    mask_iou: float = MIN_MASK_IOU


STRICT = Limits()
# Of networks that take boxes around masks on their way: one pixel that rounding turns moves such
# a box by a whole cell, and all that follows a little. As far as tests/parity lets them go.
AFTER_MASK_BOXES = Limits(box_px=0.5, score=1e-3, mask_iou=0.99)


@dataclass(frozen=True)
class AgreementReport:
    """The largest differences found between a bundle and the network it was made from.

    Attributes:
        images: Pictures that were compared.
        instances: Instances that the network found on them and that were looked for.
        worst_box_px: Largest difference of a side of a box, in pixels of the picture; infinite if
            an instance of one has no counterpart at all.
        worst_score: Largest difference of a score.
        worst_mask_iou: Smallest overlap of a mask with its counterpart. Masks that differ in one
            pixel count as equal, since a small one would fall below any limit by it.
        ties: Instances in whose place the other has one of equal score that overlaps it. Which of
            the two suppresses the other hangs on the last bit of a score.
    """

    images: int
    instances: int
    worst_box_px: float = 0.0
    worst_score: float = 0.0
    worst_mask_iou: float = 1.0
    ties: int = 0

    @property
    def agrees(self) -> bool:
        """Whether every difference is within its strict limit, and ties are within MAX_TIES."""
        return self.is_within(STRICT)

    def is_within(self, limits: Limits) -> bool:
        """Return whether every difference is within its limit, and ties are within MAX_TIES."""
        return (
            self.ties <= MAX_TIES * self.instances
            and self.worst_box_px <= limits.box_px
            and self.worst_score <= limits.score
            and self.worst_mask_iou >= limits.mask_iou
        )

    def __str__(self) -> str:
        return (
            f"{self.instances} instances on {self.images} pictures: boxes within "
            f"{self.worst_box_px:.2g} px, scores within {self.worst_score:.2g}, "
            f"mask IoU at least {self.worst_mask_iou:.6f}, {self.ties} decided by ties"
        )


def merge(reports: Iterable[AgreementReport]) -> AgreementReport:
    """Return the worst of all reports; pictures and instances are added up."""
    parts = list(reports)
    return AgreementReport(
        images=sum(part.images for part in parts),
        instances=sum(part.instances for part in parts),
        worst_box_px=max((part.worst_box_px for part in parts), default=0.0),
        worst_score=max((part.worst_score for part in parts), default=0.0),
        worst_mask_iou=min((part.worst_mask_iou for part in parts), default=1.0),
        ties=sum(part.ties for part in parts),
    )


@dataclass(frozen=True)
class Band:
    """The same instances with masks a little smaller and a little larger.

    A pixel in the larger mask and not in the smaller one is on the verge: its probability is so
    near one half that it may fall to either side. A network that has hardly trained has many.
    """

    smaller: Instances
    larger: Instances


def compare(expected: Instances, found: Instances, band: Band | None = None) -> AgreementReport:
    """Look for the best instances of either in the other and report the worst differences.

    Args:
        expected: Of one image, in descending order of score.
        found: Of the same image, in the same order.
        band: Of `expected`; pixels on the verge are not compared.
    """

    def overlap(row: int, other_row: int) -> float:
        verge = None if band is None else (band.smaller.rles[row], band.larger.rles[row])
        return _mask_iou(expected.rles[row], found.rles[other_row], verge)

    return worst_of(
        [
            _look_for(expected, found, overlap),
            _look_for(found, expected, lambda row, other_row: overlap(other_row, row)),
        ]
    )


def worst_of(reports: Sequence[AgreementReport]) -> AgreementReport:
    """Return the worst of several comparisons of the same picture, whose instances count once."""
    return replace(
        merge(reports),
        images=1,
        instances=reports[0].instances,
        ties=max(report.ties for report in reports),
    )


def _look_for(
    wanted: Instances, there: Instances, mask_iou: Callable[[int, int], float]
) -> AgreementReport:
    """Compare each of the best instances of `wanted` with its nearest of `there`."""
    reports = []
    for row in range(min(len(wanted), COMPARED_INSTANCES)):
        candidates = np.flatnonzero(there.labels == wanted.labels[row])
        if not len(candidates):
            reports.append(AgreementReport(1, 1, worst_box_px=np.inf))
            continue
        box_px = _distances(there.boxes[candidates], wanted.boxes[row]).max(axis=1)
        score = _distances(there.scores[candidates], wanted.scores[row])
        nearest = int(np.argmin(np.maximum(box_px / MAX_BOX_PX, score / MAX_SCORE)))
        overlap = boxes.iou(wanted.boxes[row : row + 1], there.boxes[candidates])[0]
        if box_px[nearest] > TIE_PX and np.any((overlap > TIE_IOU) & (score <= MAX_SCORE)):
            reports.append(AgreementReport(1, 1, ties=1))
            continue
        iou = mask_iou(row, int(candidates[nearest]))
        reports.append(AgreementReport(1, 1, float(box_px[nearest]), float(score[nearest]), iou))
    return replace(merge(reports), images=1)


def _distances(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the absolute differences; infinite where either is not a number."""
    return np.asarray(np.nan_to_num(np.abs(found - wanted), nan=np.inf, posinf=np.inf))


def _mask_iou(first: Rle, second: Rle, verge: tuple[Rle, Rle] | None) -> float:
    one, other = (masks.decode(rle) for rle in (first, second))
    differing = one ^ other
    if verge is not None:
        smaller, larger = (masks.decode(rle) for rle in verge)
        differing &= ~larger | smaller
    wrong = int(differing.sum())
    return 1.0 if wrong <= 1 else 1 - wrong / int((one | other).sum())
