"""Use case: pictures to predictions, as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segtune.devices import Device
from segtune.errors import ImageError
from segtune.inputs import ImageInput, find_inputs
from segtune.pipeline import open_on_devices
from segtune.pipeline_config import PipelineConfig
from segtune.predictions import Failure, Predictions
from segtune.predictor import InstancePredictor
from segtune.progress import Reporter, SilentReporter
from segtune.result import Result
from segtune.result_files import USUAL_FORMATS, Format, ResultFiles, check_output
from segtune.tiles import Tiling

if TYPE_CHECKING:
    from segtune.runtime_names import Precision, Runtime


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
    device: Device | str,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
    threshold: float = 0.5,
    batch_size: int = 1,
    output: Path = Path("output"),
    formats: Sequence[Format] = USUAL_FORMATS,
    overwrite: bool = False,
    tiling: Tiling | None = None,
    on_result: Callable[[Result], None] | None = None,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Predict pictures with a run, checkpoint, bundle or registered model; write the results.

    Args:
        reference: The model, as `segtune.sources.open_predictor` takes it.
        inputs: Files (pictures, PDF, videos), folders, globs, URLs and cameras.
        device: Where the network runs, as `create_pipeline` takes it.
        threads: CPU threads; None chooses what suits the machine.
        runtime: What runs the network, as `open_predictor` takes it.
        precision: In which it computes, as `open_predictor` takes it.
        threshold: Instances with scores above it are kept.
        batch_size: Images per forward pass.
        output: Folder of the results.
        formats: What to write, as `segtune.result_files` tells them.
        overwrite: Whether results that are there already may be replaced.
        tiling: How large pictures are cut; None takes each as a whole.
        on_result: Given every result when it is written.
        reporter: Told about every picture, and at once about those that cannot be read.

    Raises:
        SegtuneError: Nothing could be read, the results cannot be written, or the model or the
            device is not there.
    """
    images = find_inputs(inputs)
    check_output(images, output, formats, overwrite=overwrite)
    settings = PipelineConfig(reference, device=str(device))
    return predict_with(
        open_on_devices(settings, threads=threads, runtime=runtime, precision=precision),
        images,
        threshold=threshold,
        batch_size=batch_size,
        output=output,
        formats=formats,
        overwrite=overwrite,
        tiling=tiling,
        on_result=on_result,
        reporter=reporter,
    )


def predict_with(
    predictor: InstancePredictor,
    images: Sequence[ImageInput],
    *,
    threshold: float = 0.5,
    batch_size: int = 1,
    output: Path,
    formats: Sequence[Format] = USUAL_FORMATS,
    overwrite: bool = False,
    tiling: Tiling | None = None,
    on_result: Callable[[Result], None] | None = None,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Predict pictures with an open predictor and write the results; see `predict_files`.

    An interrupt keeps what was found until then.

    Raises:
        ImageError: None of the pictures could be read; nothing is written.
        OutputError: A result cannot be written.
    """
    reporter = reporter or SilentReporter()
    num_images = num_instances = 0

    def tell(failure: Failure) -> None:
        reporter.say(f"skipped {failure.place}: {failure.error.problem}")

    results = Predictions(
        predictor,
        images,
        threshold=threshold,
        batch_size=batch_size,
        on_error="skip",
        tiling=tiling,
        on_failure=tell,
    )
    files = ResultFiles(predictor, output, formats, threshold=threshold, overwrite=overwrite)
    with reporter.task("predict", total=len(images)) as task, files:
        for result in results:
            files.add(result)
            num_images += 1
            num_instances += len(result.instances)
            if on_result is not None:
                on_result(result)
            if not result.frame_index and not result.page_index:  # a thing to read, not a part
                task.advance(1)
        if num_images == 0:
            raise _nothing_read(images, results.failed)
    failed = [(failure.place, failure.error.problem) for failure in results.failed]
    return PredictSummary(num_images, num_instances, failed, output)


def _nothing_read(images: Sequence[ImageInput], failed: Sequence[Failure]) -> ImageError:
    first = failed[0]
    return ImageError(
        f"none of the {len(images)} pictures could be read; the first: {first.error.problem}",
        where=first.place,
        remedy=first.error.remedy,
    )
