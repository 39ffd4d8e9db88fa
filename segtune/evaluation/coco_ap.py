"""Mask and box AP of a dataset, equal to those of pycocotools.

The engine is hotcoco (docs/decisions/0004-coco-metrics-engine.md). It sees images and classes by
their place in the dataset, so that no id of a file, such as 0, has a meaning of its own there.

Shapes: K classes, T IoU thresholds, R recall thresholds, A area ranges, M detection limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import hotcoco
import numpy as np
from numpy.typing import NDArray

from segtune import masks
from segtune.data.coco import CocoDataset, ImageRecord
from segtune.errors import DatasetError, WeightsError
from segtune.evaluation.report import ClassFigures, Figures, Report
from segtune.instances import Instances

# Places in the engine's axes T, A and M, as its default parameters order them.
_IOU_50, _IOU_75 = 0, 5
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)
_MOST_1, _MOST_10, _MOST_100 = range(3)

_NO_LABELS = np.zeros(0, np.int64)


def evaluate(dataset: CocoDataset, results: Mapping[int, Instances]) -> Report:
    """Return the COCO figures of `results`, which are keyed by image id.

    Raises:
        DatasetError: A result has another size than its image is declared to have.
        WeightsError: A score is not a number.
    """
    return CocoEvaluator(dataset).evaluate(results)


class CocoEvaluator:
    """Evaluates any number of results on one dataset, whose ground truth is converted once."""

    def __init__(self, dataset: CocoDataset) -> None:
        self._dataset = dataset
        self._truth = _truth_of(dataset)
        self._num_instances = _count_instances(dataset)

    def evaluate(self, results: Mapping[int, Instances]) -> Report:
        """Return the COCO figures of `results`, which are keyed by image id.

        An image without an entry has no detections.

        Raises:
            DatasetError: A result has another size than its image is declared to have.
            WeightsError: A score is not a number.
        """
        ordered = self._in_order(results)
        mask_all, mask_per_class = self._figures("segm", _mask_results(self._truth, ordered))
        box_all, box_per_class = self._figures("bbox", _box_results(self._truth, ordered))
        labels = np.concatenate([instances.labels for instances in ordered] or [_NO_LABELS])
        num_detections = np.bincount(labels, minlength=len(self._dataset.categories))
        per_class = tuple(
            ClassFigures(
                category.name,
                category.id,
                mask_per_class[category.label],
                box_per_class[category.label],
                int(self._num_instances[category.label]),
                int(num_detections[category.label]),
            )
            for category in self._dataset.categories
        )
        return Report(
            mask_all,
            box_all,
            per_class,
            len(self._dataset.images),
            int(self._num_instances.sum()),
            int(num_detections.sum()),
        )

    def check(self, record: ImageRecord, instances: Instances) -> None:
        """Refuse instances that cannot be compared with the ground truth of `record`.

        Raises:
            DatasetError: The image has another size than it is declared to have.
            WeightsError: A score is not a number.
        """
        if instances.size_hw != record.size_hw:
            found, declared = instances.size_hw, record.size_hw
            raise DatasetError(
                f"{record.path.name} is {found[1]} x {found[0]} pixels, its annotations are for "
                f"{declared[1]} x {declared[0]}",
                where=f"{self._dataset.annotation_file}, image {record.image_id}",
                remedy="correct width and height; a photograph counts as EXIF orientation turns it",
            )
        if not np.isfinite(instances.scores).all():
            raise WeightsError(
                "the network gives scores that are not numbers",
                where=str(record.path),
                remedy="its weights have diverged: train again with a lower learning rate",
            )
        num_classes = len(self._dataset.categories)
        if np.any((instances.labels < 0) | (instances.labels >= num_classes)):
            raise ValueError(f"labels outside 0..{num_classes - 1}: {np.unique(instances.labels)}")

    def _in_order(self, results: Mapping[int, Instances]) -> list[Instances]:
        """Return the instances of every image of the dataset, in its order, after checks."""
        known = {record.image_id for record in self._dataset.images}
        strangers = sorted(set(results) - known)
        if strangers:
            raise ValueError(f"results of images that the dataset does not have: {strangers[:10]}")
        ordered = []
        for record in self._dataset.images:
            instances = results.get(record.image_id, Instances.none(record.size_hw))
            self.check(record, instances)
            ordered.append(instances)
        return ordered

    def _figures(self, kind: str, detections: Any) -> tuple[Figures, list[Figures]]:
        """Return the figures over all classes and those of each class."""
        engine = hotcoco.COCOeval(self._truth, detections, kind)
        engine.evaluate()
        engine.accumulate()
        arrays = engine.eval
        assert arrays is not None, "accumulate() fills it"
        precision, recall = arrays["precision"], arrays["recall"]  # (T, R, K, A, M), (T, K, A, M)
        per_class = [
            _summary(precision[:, :, [label]], recall[:, [label]])
            for label in range(len(self._dataset.categories))
        ]
        return _summary(precision, recall), per_class


def _truth_of(dataset: CocoDataset) -> Any:
    """Return the ground truth as the engine keeps it."""
    owned = [
        (place, record, instance)
        for place, record in enumerate(dataset.images, 1)
        for instance in record.instances
    ]
    boxes = np.asarray([instance.box for *_, instance in owned], np.float64).reshape(-1, 4)
    return hotcoco.COCO.from_arrays(
        [
            {"id": place, "height": record.height, "width": record.width}
            for place, record in enumerate(dataset.images, 1)
        ],
        [{"id": category.label + 1, "name": category.name} for category in dataset.categories],
        np.asarray([place for place, *_ in owned], np.int64),
        np.asarray([instance.label + 1 for *_, instance in owned], np.int64),
        _xywh(boxes),
        area=np.asarray([instance.area for *_, instance in owned], np.float64),
        iscrowd=np.asarray([instance.is_crowd for *_, instance in owned], bool),
        segmentation=[
            dict(masks.to_rle(instance.segmentation, record.size_hw))
            for _, record, instance in owned
        ],
    )


def _count_instances(dataset: CocoDataset) -> NDArray[np.int64]:
    """Return how many instances of each class there are to find, (K,)."""
    labels = [
        instance.label
        for record in dataset.images
        for instance in record.instances
        if not instance.is_crowd
    ]
    return np.bincount(np.asarray(labels, np.int64), minlength=len(dataset.categories))


def _mask_results(truth: Any, ordered: Sequence[Instances]) -> Any:
    """Return detections that have the area of their mask."""
    rles = [dict(rle) for instances in ordered for rle in instances.rles]
    detections = truth.load_res(_rows(ordered), segmentation=rles)
    if rles:
        # The engine takes the area of the box, as pycocotools does for a result that has both.
        ids = np.arange(1, len(rles) + 1)
        detections.update_anns(ids=ids, area=np.asarray(hotcoco.mask.area(rles), np.float64))
    return detections


def _box_results(truth: Any, ordered: Sequence[Instances]) -> Any:
    """Return detections that have the area of their box."""
    return truth.load_res(_rows(ordered))


def _rows(ordered: Sequence[Instances]) -> NDArray[np.float64]:
    """Return a row a detection: image, x, y, width, height, score, class."""
    parts = [np.zeros((0, 7))]
    for place, instances in enumerate(ordered, 1):
        part = np.empty((len(instances), 7))
        part[:, 0] = place
        part[:, 1:5] = _xywh(instances.boxes.astype(np.float64))
        part[:, 5] = instances.scores
        part[:, 6] = instances.labels + 1
        parts.append(part)
    return np.concatenate(parts)


def _xywh(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _summary(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> Figures:
    """Return the figures of precision (T, R, K, A, M) and recall (T, K, A, M)."""
    at_100 = precision[..., _MOST_100]  # (T, R, K, A)
    return Figures(
        ap=_mean(at_100[..., _ALL]),
        ap50=_mean(at_100[_IOU_50, ..., _ALL]),
        ap75=_mean(at_100[_IOU_75, ..., _ALL]),
        ap_small=_mean(at_100[..., _SMALL]),
        ap_medium=_mean(at_100[..., _MEDIUM]),
        ap_large=_mean(at_100[..., _LARGE]),
        ar1=_mean(recall[..., _ALL, _MOST_1]),
        ar10=_mean(recall[..., _ALL, _MOST_10]),
        ar100=_mean(recall[..., _ALL, _MOST_100]),
        ar_small=_mean(recall[..., _SMALL, _MOST_100]),
        ar_medium=_mean(recall[..., _MEDIUM, _MOST_100]),
        ar_large=_mean(recall[..., _LARGE, _MOST_100]),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean where there was ground truth; the engine writes -1 where there was none."""
    counted = values[values > -1]
    return float(counted.mean()) if counted.size else None
