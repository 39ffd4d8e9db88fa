"""Use case: pictures to predictions, as JSON, COCO results and overlay pictures."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from segtune.devices import Device
from segtune.draw import overlay
from segtune.errors import ImageError, OutputError
from segtune.files import write_text
from segtune.images import write_image
from segtune.inputs import ImageInput, find_inputs
from segtune.instances import Instances
from segtune.predictor import Predictor
from segtune.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from segtune.runtime_names import Precision, Runtime

Format = Literal["json", "coco", "overlay"]
FORMATS: tuple[Format, ...] = ("json", "coco", "overlay")
COCO_RESULTS = "coco_results.json"


@dataclass(frozen=True)
class PredictSummary:
    """What came of a prediction over many pictures."""

    num_images: int  # predicted
    num_instances: int  # found on them
    failed: list[tuple[str, str]]  # place of each picture that could not be read, and why
    output: Path


def predict_files(
    reference: str,
    inputs: Sequence[str],
    *,
    device: Device,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
    threshold: float = 0.5,
    batch_size: int = 1,
    output: Path = Path("output"),
    formats: Sequence[Format] = FORMATS,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Predict pictures with a run, checkpoint, bundle or registered model; write the results.

    Args:
        reference: The model, as `segtune.sources.open_predictor` takes it.
        inputs: Files, folders, globs and URLs.
        device: Where the network runs.
        threads: CPU threads; None chooses what suits the machine.
        runtime: What runs the network, as `open_predictor` takes it.
        precision: In which it computes, as `open_predictor` takes it.
        threshold: Instances with scores above it are kept.
        batch_size: Images per forward pass.
        output: Folder of the results.
        formats: `json` (a file an image), `coco` (one file), `overlay` (a picture an image).
        overwrite: Whether results that are there already may be replaced.
        reporter: Told about every picture, and at once about those that cannot be read.

    Raises:
        SegtuneError: Nothing could be read, the results cannot be written, or the model or the
            device is not there.
    """
    from segtune.sources import open_predictor  # here, since it may load Paddle

    images = find_inputs(inputs)
    check_output(images, output, formats, overwrite=overwrite)
    predictor = open_predictor(
        reference, device=device, threads=threads, runtime=runtime, precision=precision
    )
    return predict_with(
        predictor,
        images,
        threshold=threshold,
        batch_size=batch_size,
        output=output,
        formats=formats,
        reporter=reporter,
    )


def predict_with(
    predictor: Predictor,
    images: Sequence[ImageInput],
    *,
    threshold: float = 0.5,
    batch_size: int = 1,
    output: Path,
    formats: Sequence[Format] = FORMATS,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Predict pictures with an open predictor and write the results; see `predict_files`.

    Raises:
        ImageError: None of the pictures could be read; nothing is written.
        OutputError: A result cannot be written.
    """
    results = _Results(predictor, output, formats, threshold)
    reporter = reporter or SilentReporter()
    with reporter.task("predict", total=len(images)) as task:
        reader = _Reader(images, reporter)
        found = predictor.predict(reader, threshold=threshold, batch_size=batch_size)
        for instances in found:
            image_id, source, image = reader.waiting.popleft()
            results.add(image_id, source, image, instances)
            task.advance(1)
    if results.num_images == 0:
        place, reason = reader.failed[0]
        raise ImageError(
            f"none of the {len(images)} pictures could be read; the first: {reason}",
            where=place,
            remedy=reader.first_remedy,
        )
    results.finish()
    return PredictSummary(results.num_images, results.num_instances, reader.failed, output)


def check_output(
    images: Sequence[ImageInput], output: Path, formats: Sequence[Format], *, overwrite: bool
) -> None:
    """Refuse an output folder in which results would replace something.

    Raises:
        OutputError: A result exists and `overwrite` is not given, an input would be replaced, or
            two results would have one name.
    """
    targets = [path for image in images for path in _targets(image, output, formats)]
    if "coco" in formats:
        targets.append(output / COCO_RESULTS)
    doubled = [path for path, count in Counter(targets).items() if count > 1]
    if doubled:  # a picture called coco_results
        raise OutputError(
            f"two results would be called {doubled[0].name}",
            where=str(doubled[0]),
            remedy="rename the picture, or leave out one of the formats json and coco",
        )
    sources = {Path(image.place).resolve() for image in images if not image.is_url}
    endangered = [path for path in targets if path.resolve() in sources]
    if endangered:
        raise OutputError(
            f"the result {endangered[0].name} would replace an input picture",
            where=str(endangered[0]),
            remedy="choose another --save-path",
        )
    existing = [path for path in targets if path.exists()]
    if existing and not overwrite:
        raise OutputError(
            f"{len(existing)} of the results exist already",
            where=str(existing[0]),
            remedy="choose another --save-path, or allow it with --overwrite",
        )
    if output.exists() and not output.is_dir():
        raise OutputError(
            f"{output} is a file, not a folder",
            where=str(output),
            remedy="choose another --save-path",
        )


def _targets(image: ImageInput, output: Path, formats: Sequence[Format]) -> Iterator[Path]:
    if "json" in formats:
        yield output / f"{image.result_name}.json"
    if "overlay" in formats:
        yield output / f"{image.result_name}_overlay.jpg"


class _Reader:
    """Reads pictures one by one and keeps those that are still in the network.

    Attributes:
        waiting: Image id (from 1, in the order of the inputs), source and pixels of each picture
            that was handed out and whose prediction has not come back.
        failed: Place and reason of each picture that could not be read.
        first_remedy: What to do about the first of them.
    """

    def __init__(self, images: Sequence[ImageInput], reporter: Reporter) -> None:
        self.images = images
        self.reporter = reporter
        self.waiting: deque[tuple[int, ImageInput, NDArray[np.uint8]]] = deque()
        self.failed: list[tuple[str, str]] = []
        self.first_remedy: str | None = None

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for image_id, source in enumerate(self.images, start=1):
            try:
                image = source.read()
            except ImageError as error:
                if not self.failed:
                    self.first_remedy = error.remedy
                self.failed.append((source.place, error.problem))
                self.reporter.say(f"skipped {source.place}: {error.problem}")
                continue
            self.waiting.append((image_id, source, image))
            yield image


@dataclass
class _Results:
    """Writes what was found, image by image, and counts it."""

    predictor: Predictor
    output: Path
    formats: Sequence[Format]
    threshold: float
    num_images: int = 0
    num_instances: int = 0
    coco: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, image_id: int, source: ImageInput, image: NDArray[np.uint8], instances: Instances
    ) -> None:
        self.num_images += 1
        self.num_instances += len(instances)
        categories = self.predictor.categories
        if "json" in self.formats:
            record = {
                "image_id": image_id,
                "file": source.place,
                "height": image.shape[0],
                "width": image.shape[1],
                "model": self.predictor.model_name,
                "threshold": self.threshold,
                "instances": instances.to_json(categories),
            }
            path = self.output / f"{source.result_name}.json"
            write_text(path, json.dumps(record, ensure_ascii=False) + "\n")
        if "overlay" in self.formats:
            picture = overlay(image, instances, categories)
            write_image(self.output / f"{source.result_name}_overlay.jpg", picture)
        if "coco" in self.formats:
            # COCO tools ignore the additional key; without it an image id would mean nothing.
            self.coco += [
                {**record, "file_name": source.place}
                for record in instances.to_coco(image_id, categories)
            ]

    def finish(self) -> None:
        if "coco" in self.formats:
            write_text(self.output / COCO_RESULTS, json.dumps(self.coco, ensure_ascii=False) + "\n")
