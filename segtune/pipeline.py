"""The instance segmentation pipeline: a model with its settings, called on anything."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtune.arrays import CHANNELS, Channels
from segtune.categories import Categories
from segtune.devices import Device, parse_devices, require_device
from segtune.errors import CheckpointError, DeviceError, RecipeError
from segtune.inputs import expand
from segtune.pipeline_config import (
    DEFAULT,
    PipelineConfig,
    config_from_mapping,
    find_pipeline,
    settings_of,
)
from segtune.predictions import OnError, Predictions
from segtune.predictor import InstancePredictor, Predictor
from segtune.predictor_pool import PredictorPool
from segtune.result import MaskForm
from segtune.tiles import Tiling

if TYPE_CHECKING:
    from segtune.runtime_names import Precision, Runtime


@dataclass(frozen=True)
class Pipeline:
    """A model that is ready to predict, with the settings that hold where a call says nothing.

    Attributes:
        predictor: Finds instances on RGB arrays.
        config: Model, device, batch size and threshold in force.
    """

    predictor: InstancePredictor
    config: PipelineConfig

    @property
    def categories(self) -> Categories:
        """The classes, by label."""
        return self.predictor.categories

    @property
    def model_name(self) -> str:
        """A name of the zoo."""
        return self.predictor.model_name

    def predict(
        self,
        input: Any,
        threshold: float | None = None,
        *,
        batch_size: int | None = None,
        mask_form: MaskForm = "cropped",
        channels: Channels = "bgr",
        on_error: OnError = "raise",
        tile: int | None = None,
        overlap: float = 0.2,
    ) -> Predictions:
        """Return an iterator over one result a picture, in the order of the input.

        Nothing is read before a result is asked for, and no more than the pictures of a batch are
        in memory: a video, a camera or a large folder takes no more of it than a few photographs.

        Args:
            input: A path or http(s) address of a picture, TIFF, PDF or video; a folder, with all
                folders below; a glob; the number of a camera, or `camera:0`; an array; a PIL
                image; the bytes of a picture file; a dict with one of these under `img`; or a
                list, or an iterator, of any of these.
            threshold: Scores are above it. Default: the pipeline's.
            batch_size: Pictures that go through the network together. Default: the pipeline's.
            mask_form: Of `result["masks"]`: `cropped` to the rounded box as PaddleX has them,
                `full`, or `rle`.
            channels: Order of the colours in arrays: `bgr` as cv2.imread returns them and PaddleX
                takes them, or `rgb`. Files and PIL images say themselves which is which.
            on_error: What happens at a picture that cannot be read: `raise` raises its error
                after the results of all pictures before it; `skip` goes on, and
                `predictions.failed` tells which and why.
            tile: Side in pixels of the tiles that large pictures are cut into; None does not cut.
            overlap: Share of its side that a tile has in common with the next.

        Raises:
            RecipeError: A setting cannot be used.
        """
        if channels not in CHANNELS:
            raise RecipeError(
                f"channels cannot be {channels!r}",
                where="channels",
                remedy=f"give one of {', '.join(CHANNELS)}",
            )
        return Predictions(
            self.predictor,
            expand(input, channels=channels),
            threshold=_first_given(threshold, self.config.threshold, DEFAULT.threshold),
            batch_size=_first_given(batch_size, self.config.batch_size, DEFAULT.batch_size),
            mask_form=mask_form,
            on_error=on_error,
            tiling=None if tile is None else Tiling(tile, overlap),
        )

    __call__ = predict

    def close(self) -> None:
        """Do nothing: a pipeline holds nothing open. PaddleX's has this method, too."""


def create_pipeline(
    pipeline: str | Path | None = None,
    *,
    config: Mapping[str, Any] | PipelineConfig | None = None,
    model: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    threshold: float | None = None,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
) -> Pipeline:
    """Return a pipeline, opened on its device. What is given here wins over the config.

    Args:
        pipeline: `instance_segmentation`, or a pipeline YAML of either generation of PaddleX.
            Default: `instance_segmentation`.
        config: Instead of a file, its content as a dict.
        model: A run, checkpoint or bundle folder, `models:/name@alias`, or the name of one of the
            fifteen models, whose published COCO weights are downloaded once.
        device: `cpu`, `gpu:0`, `npu:0`, ...; `gpu:0,1` for a worker on each; or `auto` for the
            first accelerator that is present. Default: the config's, else `cpu`.
        batch_size: Pictures that go through the network together. Default: the config's, else 1.
        threshold: Scores of instances are above it. Default: the config's, else 0.5.
        threads: CPU threads. Default: OMP_NUM_THREADS, else every usable core.
        runtime: What runs the network, as `open_predictor` takes it.
        precision: In which it computes, as `open_predictor` takes it.

    Raises:
        RecipeError: The pipeline is not there, or its config cannot be used.
        SegtuneError: The model or the device is not there.
    """
    settings = resolve_settings(
        pipeline,
        config=config,
        model=model,
        device=device,
        batch_size=batch_size,
        threshold=threshold,
    )
    predictor = open_on_devices(settings, threads=threads, runtime=runtime, precision=precision)
    return Pipeline(predictor, settings)


def resolve_settings(
    pipeline: str | Path | None = None,
    *,
    config: Mapping[str, Any] | PipelineConfig | None = None,
    model: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    threshold: float | None = None,
) -> PipelineConfig:
    """Return the settings in force, as `create_pipeline` takes them; nothing is opened.

    Raises:
        RecipeError: The pipeline is not there, or its config cannot be used.
    """
    if pipeline is not None and config is not None:
        raise RecipeError(
            "a pipeline and a config are given",
            where="pipeline, config",
            remedy="give one of them",
        )
    if isinstance(config, PipelineConfig):
        found = config
    elif config is not None:
        found = config_from_mapping(config)
    elif pipeline is not None:
        found = find_pipeline(str(pipeline))
    else:
        found = DEFAULT
    if model is not None:
        of_model = settings_of(str(model))  # which may be a pipeline YAML itself
        found = of_model if of_model.model != str(model) else replace(found, model=str(model))
    return replace(
        found,
        device=found.device if device is None else device,
        batch_size=found.batch_size if batch_size is None else batch_size,
        threshold=found.threshold if threshold is None else threshold,
    )


def open_on_devices(
    settings: PipelineConfig,
    *,
    threads: int | None = None,
    runtime: Runtime = "paddle",
    precision: Precision = "fp32",
) -> InstancePredictor:
    """Return a predictor on each device that the settings name, together as one.

    Raises:
        SegtuneError: The model or a device is not there.
    """
    from segtune.sources import open_predictor  # here, since it may load Paddle

    devices = parse_devices(settings.device or "cpu")

    def open_on(device: Device) -> Predictor:
        return open_predictor(
            settings.model, device=device, threads=threads, runtime=runtime, precision=precision
        )

    if len(devices) == 1:
        return open_on(devices[0])
    for device in devices:
        require_device(device)
    _refuse_checkpoint(settings.model)
    return PredictorPool([open_on(device) for device in devices])


def _refuse_checkpoint(model: str) -> None:
    """Raise CheckpointError for what several workers cannot run side by side."""
    from segtune.bundle import is_bundle
    from segtune.sources import resolve

    with suppress(CheckpointError):
        if is_bundle(resolve(model)):
            return
    raise DeviceError(
        f"{model} runs on one device only, as it is not exported",
        where="device",
        remedy="name one device, or export the model first: segtune export MODEL BUNDLE",
    )


def _first_given(*values: Any) -> Any:
    return next(value for value in values if value is not None)
