"""What a recipe file may say: every key, its type, its default and its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)


class StrictModel(BaseModel):
    """A frozen record that refuses keys it does not know, infinity and not-a-number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecipe(StrictModel):
    """Where the dataset lies. Give `root`, or `train`, `val` and `images`."""

    root: Path | None = Field(
        None, description="Folder with images/ and annotations/instance_{train,val}.json."
    )
    train: Path | None = Field(None, description="COCO file of the training split.")
    val: Path | None = Field(None, description="COCO file of the validation split.")
    images: Path | None = Field(None, description="Folder that their file names start from.")
    workers: NonNegativeInt = Field(2, description="Loader processes; 0 loads in the main one.")

    @model_validator(mode="after")
    def _names_one_dataset(self) -> DataRecipe:
        files = {"train": self.train, "val": self.val, "images": self.images}
        given = [name for name, path in files.items() if path is not None]
        if self.root is not None and given:
            raise ValueError(f"has `root` as well as `{given[0]}`; the one implies the other")
        absent = [name for name in files if name not in given]
        if given and absent:
            raise ValueError(f"has `{given[0]}` without `{'` and `'.join(absent)}`")
        return self


class AugmentRecipe(StrictModel):
    """How training images are varied. Probabilities are those of the change taking place."""

    distort: float = Field(1.0, ge=0, le=1, description="Colour distortion is considered.")
    expand: float = Field(0.5, ge=0, le=1, description="The image is laid on a larger canvas.")
    expand_ratio: float = Field(4.0, ge=1, description="Largest side ratio of that canvas.")
    crop: float = Field(1.0, ge=0, le=1, description="A random crop by box overlap is considered.")
    flip: float = Field(0.5, ge=0, le=1, description="The image is mirrored left to right.")
    sizes: tuple[PositiveInt, ...] = Field(
        (),
        description="Sides in pixels of which one is drawn for each batch, repeated ones more "
        "often: of a square network input, or of the short side where the model keeps the ratio "
        "of sides; empty: always image_size.",
    )
    random_interpolation: bool = Field(
        False,
        description="Each batch is resized by a randomly drawn method (nearest, linear, area, "
        "cubic, lanczos).",
    )


class OptimizerRecipe(StrictModel):
    """How the weights are updated. A step is one optimizer update."""

    name: Literal["momentum", "adamw"] = Field("momentum", description="Update rule.")
    lr: PositiveFloat = Field(1e-3, description="Peak learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Of `momentum`; `adamw` ignores it.")
    weight_decay: NonNegativeFloat = Field(
        5e-4, description="L2 term of `momentum`, decoupled decay of `adamw`."
    )
    decay_norms: bool = Field(False, description="Whether norm scales and shifts decay as well.")
    backbone_lr_scale: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Backbone learning rate as a fraction of `lr`; 0 freezes its weights.",
    )
    lr_scales: dict[str, NonNegativeFloat] = Field(
        {},
        description="Further factors of `lr`, by the part that they apply to, such as "
        "`{backbone.res3: 0.05}`; of two parts, one in the other, the inner one counts.",
    )
    clip_norm: PositiveFloat | None = Field(
        None, description="Largest global norm of all gradients; null does not clip."
    )


class ScheduleRecipe(StrictModel):
    """The learning rate as a function of the step."""

    warmup_steps: NonNegativeInt = Field(
        100, description="Steps of linear warm-up; cut to a quarter of a shorter run."
    )
    warmup_start: float = Field(0.0, ge=0, le=1, description="First fraction of the peak.")
    decay: Literal["cosine", "step", "constant"] = Field("cosine", description="After warm-up.")
    horizon: float = Field(
        1.2, ge=1, description="Cosine reaches its end after this many times the run's length."
    )
    end_scale: float = Field(0.0, ge=0, le=1, description="Fraction of the peak at that end.")
    milestones: tuple[float, ...] = Field(
        (2 / 3, 11 / 12), description="`step`: parts of the run after which `gamma` applies."
    )
    gamma: float = Field(0.1, gt=0, le=1, description="`step`: factor at each milestone.")

    @model_validator(mode="after")
    def _milestones_ascend(self) -> ScheduleRecipe:
        ascending = sorted(set(self.milestones)) == list(self.milestones)
        if not ascending or any(not 0 < part < 1 for part in self.milestones):
            raise ValueError("has `milestones` that do not ascend between 0 and 1 (parts of a run)")
        return self


class EmaRecipe(StrictModel):
    """Averaged weights, which are the ones evaluated and exported."""

    decay: float = Field(0.9998, ge=0, lt=1, description="0 turns averaging off.")
    kind: Literal["threshold", "exponential", "normal"] = Field(
        "threshold", description="How the decay grows at the start of a run."
    )


class EvaluateRecipe(StrictModel):
    """Evaluation on the validation split while training."""

    every_epochs: PositiveInt = Field(1, description="Also after the last epoch.")
    batch_size: PositiveInt = Field(1, description="Images per forward pass.")


class CheckpointRecipe(StrictModel):
    """What is kept of a run."""

    every_epochs: PositiveInt = Field(1, description="Also after the last epoch.")
    keep: PositiveInt = Field(2, description="Newest checkpoints kept, the best one aside.")


class TrackingRecipe(StrictModel):
    """Where runs are recorded."""

    enabled: bool = Field(True, description="Whether MLflow records the run.")
    uri: str | None = Field(
        None, description="Default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db beside the runs."
    )
    experiment: str = Field("segtune", description="MLflow experiment.", min_length=1)


class Recipe(StrictModel):
    """A fine-tuning run: model, data, and everything that changes the result."""

    model: str = Field(description="One of `segtune models`.")
    weights: str | None = Field(
        "coco",
        description="`coco` (published, downloaded), a path to weights, or null for random ones.",
    )
    data: DataRecipe = Field(DataRecipe(), description="Where the dataset lies.")
    image_size: tuple[PositiveInt, PositiveInt] | None = Field(
        None,
        description="Height and width of the network input, or the largest short and long side "
        "where the model keeps the ratio of sides; default: the model's own.",
    )
    epochs: PositiveInt = Field(40, description="Passes over the training split.")
    batch_size: PositiveInt = Field(8, description="Images per step.")
    seed: NonNegativeInt = Field(0, description="Of weights, order and augmentation.")
    freeze: Literal["upstream", "nothing"] = Field(
        "upstream",
        description="Parts that stay as published: those that the model's authors froze "
        "(Mask-RT-DETR: stem and norms of the backbone; R-CNN: stem, first stage and all norms), "
        "or none, as random weights need it.",
    )
    regions_per_image: PositiveInt | None = Field(
        None,
        description="R-CNN only: regions of an image that the heads learn from, a quarter of them "
        "with masks; default: 512. Fewer make a step quicker, above all without a GPU.",
    )
    optimizer: OptimizerRecipe = Field(OptimizerRecipe(), description="How weights are updated.")
    schedule: ScheduleRecipe = Field(ScheduleRecipe(), description="The learning rate.")
    ema: EmaRecipe = Field(EmaRecipe(), description="Averaged weights.")
    augment: AugmentRecipe = Field(AugmentRecipe(), description="Training images.")
    evaluate: EvaluateRecipe = Field(EvaluateRecipe(), description="Evaluation while training.")
    checkpoint: CheckpointRecipe = Field(CheckpointRecipe(), description="What is kept.")
    tracking: TrackingRecipe = Field(TrackingRecipe(), description="MLflow.")
