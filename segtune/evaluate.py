"""The COCO figures of a trained model on an annotated dataset."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from segtune.categories import Categories
from segtune.data.coco import read_coco
from segtune.devices import Device
from segtune.errors import DatasetError
from segtune.evaluation.report import Report
from segtune.evaluation.run import evaluate_predictor
from segtune.progress import Reporter, SilentReporter
from segtune.runtime_names import Precision, Runtime

_MOST_DIFFERENCES = 10  # named in one error


def evaluate_model(
    reference: str,
    annotation_file: Path,
    images_root: Path,
    *,
    device: Device | None = None,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
    batch_size: int = 1,
    reporter: Reporter | None = None,
) -> Report:
    """Return the COCO figures of a model, overall and per class.

    Args:
        reference: Checkpoint, run or bundle folder, or `models:/name@alias`.
        annotation_file: COCO file with the ground truth.
        images_root: Folder that its file names are relative to.
        device: Where the network runs; default: the CPU.
        threads: Of the processor; None chooses what suits the machine.
        runtime: What runs the network, as `open_predictor` takes it.
        precision: In which it computes, as `open_predictor` takes it.
        batch_size: Images per forward pass.
        reporter: Told about every image.

    Raises:
        DatasetError: The annotations cannot be used, or are of other classes than the model's.
    """
    from segtune.sources import open_predictor  # here, since it may load Paddle

    dataset = read_coco(annotation_file, images_root)
    predictor = open_predictor(
        reference, device=device, threads=threads, runtime=runtime, precision=precision
    )
    check_same_classes(predictor.categories, dataset.categories, annotation_file)
    return evaluate_predictor(
        predictor, dataset, batch_size=batch_size, reporter=reporter or SilentReporter()
    )


def check_same_classes(model: Categories, dataset: Categories, annotation_file: Path) -> None:
    """Refuse a dataset whose class names, by label, are not the model's; ids may differ.

    Raises:
        DatasetError: Lists the labels that differ.
    """
    pairs = enumerate(zip_longest(model.names, dataset.names))
    differences = [
        f"label {label} is {_named(of_model)} in the model, {_named(of_dataset)} in the dataset"
        for label, (of_model, of_dataset) in pairs
        if of_model != of_dataset
    ]
    if not differences:
        return
    more = len(differences) - _MOST_DIFFERENCES
    listed = "; ".join(differences[:_MOST_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")
    raise DatasetError(
        f"the dataset has other classes than the model: {listed}",
        where=f"{annotation_file}, categories",
        remedy="evaluate on annotations with the names and the order (by id) of the training data",
    )


def _named(name: str | None) -> str:
    return "absent" if name is None else f"'{name}'"
