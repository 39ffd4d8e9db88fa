"""How far two engines that should predict the same are apart.

Shapes: n instances, H x W image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from segtune.instances import Instances

MAX_BOX_PX = 0.01
MAX_SCORE = 1e-4
MIN_MASK_IOU = 0.999
COMPARED_INSTANCES = 50  # of each image, the best; those of lower score vary with suppression


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
    """

    images: int
    instances: int
    worst_box_px: float = 0.0
    worst_score: float = 0.0
    worst_mask_iou: float = 1.0

    @property
    def agrees(self) -> bool:
        """Whether every difference is within MAX_BOX_PX, MAX_SCORE and MIN_MASK_IOU."""
        return (
            self.worst_box_px <= MAX_BOX_PX
            and self.worst_score <= MAX_SCORE
            and self.worst_mask_iou >= MIN_MASK_IOU
        )

    def __str__(self) -> str:
        return (
            f"{self.instances} instances on {self.images} pictures: boxes within "
            f"{self.worst_box_px:.2g} px, scores within {self.worst_score:.2g}, "
            f"mask IoU at least {self.worst_mask_iou:.6f}"
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
    )


def compare(expected: Instances, found: Instances) -> AgreementReport:
    """Look for the best instances of either in the other and report the worst differences.

    Both are of the same image, in descending order of score.
    """
    both_ways = merge([_look_for(expected, found), _look_for(found, expected)])
    return AgreementReport(
        1,
        min(len(expected), COMPARED_INSTANCES),
        both_ways.worst_box_px,
        both_ways.worst_score,
        both_ways.worst_mask_iou,
    )


def _look_for(wanted: Instances, there: Instances) -> AgreementReport:
    """Compare each of the best instances of `wanted` with its nearest of `there`."""
    reports = []
    for row in range(min(len(wanted), COMPARED_INSTANCES)):
        candidates = np.flatnonzero(there.labels == wanted.labels[row])
        if not len(candidates):
            reports.append(AgreementReport(1, 1, worst_box_px=np.inf))
            continue
        box_px = np.abs(there.boxes[candidates] - wanted.boxes[row]).max(axis=1)
        score = np.abs(there.scores[candidates] - wanted.scores[row])
        nearest = int(np.argmin(np.maximum(box_px / MAX_BOX_PX, score / MAX_SCORE)))
        iou = _mask_iou(wanted, row, there, int(candidates[nearest]))
        reports.append(AgreementReport(1, 1, float(box_px[nearest]), float(score[nearest]), iou))
    return merge(reports)


def _mask_iou(first: Instances, row: int, second: Instances, other_row: int) -> float:
    pair = [first.rles[row], second.rles[other_row]]
    union = float(coco_mask.area(coco_mask.merge(pair)))
    shared = float(coco_mask.area(coco_mask.merge(pair, intersect=True)))
    return 1.0 if union - shared <= 1 else shared / union
