"""A network's figures on a dataset, through the path that also serves predictions."""

from __future__ import annotations

from segtune.data.coco import CocoDataset
from segtune.evaluation.coco_ap import CocoEvaluator
from segtune.evaluation.report import Report
from segtune.images import read_image
from segtune.instances import Instances
from segtune.predictor import Predictor
from segtune.progress import Reporter


def evaluate_predictor(
    predictor: Predictor,
    dataset: CocoDataset,
    *,
    batch_size: int,
    reporter: Reporter,
    evaluator: CocoEvaluator | None = None,
) -> Report:
    """Return the COCO figures of what `predictor` finds on the images of `dataset`.

    Every row of the network counts: COCO's limit of 100 detections is one per image and class.

    Args:
        predictor: Its labels must mean the categories of `dataset`.
        dataset: Images are read one after the other, as they are needed.
        batch_size: Images per forward pass, where their sizes allow.
        reporter: Told about every image.
        evaluator: That of `dataset`, where one exists from an earlier evaluation.

    Raises:
        ImageError: An image cannot be read.
        DatasetError: An image has another size than it is declared to have.
        WeightsError: A score is not a number.
    """
    evaluator = evaluator or CocoEvaluator(dataset)
    results: dict[int, Instances] = {}
    images = (read_image(record.path) for record in dataset.images)
    found = predictor.predict(images, threshold=0.0, batch_size=batch_size)
    with reporter.task("evaluate", len(dataset.images)) as task:
        for record, instances in zip(dataset.images, found, strict=True):
            evaluator.check(record, instances)  # here, so that a fault stops at its image
            results[record.image_id] = instances
            task.advance()
    return evaluator.evaluate(results)
