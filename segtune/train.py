"""Use case: a recipe becomes a run folder with a fine-tuned, evaluated, exported model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from segtune.bundle import BundleInfo
from segtune.check_dataset import DatasetReport, check_dataset, fingerprint_of
from segtune.data import statistics
from segtune.data.coco import CocoDataset, read_coco
from segtune.data.layout import locate
from segtune.devices import Device, open_device
from segtune.errors import (
    CheckpointError,
    DatasetError,
    RecipeError,
    SegtuneError,
    WeightsError,
)
from segtune.export import export_network
from segtune.models.frozen import frozen_parts, thaw
from segtune.models.segmenter import InstanceSegmenter
from segtune.progress import Reporter, SilentReporter
from segtune.recipe import Recipe
from segtune.recipe_files import dump_recipe, load_recipe
from segtune.training.checkpoint import load_network, read_info
from segtune.training.dataset_check import read_dataset_check, write_dataset_check
from segtune.training.ema import Ema
from segtune.training.job import DatasetCheck, Job
from segtune.training.log import LoggingReporter
from segtune.training.loop import TrainingState
from segtune.training.optimizer import build_optimizer
from segtune.training.result import TrainResult, write_result
from segtune.training.run_folder import (
    RunFolder,
    check_run_name,
    create_run_folder,
    open_run_folder,
)
from segtune.training.seed import seed_step
from segtune.training.session import learn
from segtune.training.state import restore_state
from segtune.training.tracked import Tracking, continue_tracking, start_tracking
from segtune.weights import fetch_weights, load_weights
from segtune.zoo import build_model, find_spec

AGREEMENT_IMAGES = 4  # photographs on which the exported bundle is compared with its checkpoint
CPU = Device("cpu")


@dataclass(frozen=True)
class TrainSummary:
    """What a run has come to.

    Attributes:
        run_folder: Everything the run has left.
        mask_ap: Of the best checkpoint on the validation split, a fraction.
        box_ap: Of the same checkpoint.
        checkpoint: The best one.
        bundle: The best one, exported.
        mlflow_run_id: None when the run was not tracked.
    """

    run_folder: Path
    mask_ap: float
    box_ap: float
    checkpoint: Path
    bundle: Path
    mlflow_run_id: str | None


def fine_tune(
    recipe: Recipe,
    *,
    base: Path | None = None,
    runs: Path = Path("runs"),
    run_name: str | None = None,
    from_scratch: bool = False,
    check: DatasetCheck = "full",
    device: Device = CPU,
    reporter: Reporter | None = None,
) -> TrainSummary:
    """Fine-tune a model as a recipe describes, and leave a new run folder.

    Args:
        recipe: The run.
        base: What relative paths of the recipe start from; default: the working folder.
        runs: Where run folders are made.
        run_name: First part of the run folder's name; default: the model's.
        from_scratch: Begin with random weights and freeze nothing, whatever the recipe says.
        check: `skip` reads the annotations without holding them to the rules of check-dataset,
            and opens no image before its turn; the run's record says so.
        device: Where to compute.
        reporter: Told about everything.

    Raises:
        SegtuneError: The dataset has faults, weights or the device are not there, a loss or a
            gradient is not finite, or the disk is full. Nothing is written before the dataset is
            checked, the weights are loaded and the tracking store has answered.
        KeyboardInterrupt: A stop was asked for; the run can be continued.
    """
    log = LoggingReporter(reporter or SilentReporter())
    recipe = _absolute(recipe, base or Path.cwd())
    if from_scratch:
        recipe = recipe.model_copy(update={"weights": None, "freeze": "nothing"})
    name = run_name or recipe.model.lower()
    check_run_name(runs, name)
    open_device(device)
    weights = _find_weights(recipe, log)
    job, report = _prepare(recipe, check, log)
    _say_warnings(report, log)
    state = _fresh_state(job, log)
    _begin(state, weights, log)
    folder = create_run_folder(runs, name, dump_recipe(recipe))
    log.open_log(folder.log)
    write_dataset_check(folder, check, {} if report is None else report.to_json())
    try:
        tracking = start_tracking(job, folder, log)
    except SegtuneError:
        shutil.rmtree(folder.path)
        raise
    return _run(job, state, folder, tracking, device, log)


def continue_run(
    path: Path, *, device: Device = CPU, reporter: Reporter | None = None
) -> TrainSummary:
    """Continue a run that was stopped or killed, exactly where its newest checkpoint stands.

    Raises:
        CheckpointError: `path` is no run folder, or the run has ended.
        SegtuneError: As `fine_tune`.
        KeyboardInterrupt: A stop was asked for again.
    """
    folder = open_run_folder(path)
    if folder.result.exists():
        raise CheckpointError(
            f"{path} has ended already",
            where=str(folder.result),
            remedy="start a new run; to train longer, give its recipe more epochs",
        )
    log = LoggingReporter(reporter or SilentReporter())
    log.open_log(folder.log)
    open_device(device)
    folder.sweep()
    job, _ = _prepare(load_recipe(str(folder.recipe)), read_dataset_check(folder), log)
    state = _fresh_state(job, log)
    checkpoints = folder.numbered_checkpoints()
    if checkpoints:
        restore_state(state, checkpoints[-1], job)
        log.say(f"continue after step {state.step}, epoch {state.epoch}")
    else:
        _begin(state, _find_weights(job.recipe, log), log)
        log.say("no checkpoint yet: begin anew")
    tracking = continue_tracking(job, folder, log)
    return _run(job, state, folder, tracking, device, log)


def _absolute(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe with paths that mean the same from every working folder."""
    paths = {
        key: (base / value.expanduser()).resolve()
        for key in ("root", "train", "val", "images")
        if (value := getattr(recipe.data, key)) is not None
    }
    changes: dict[str, object] = {"data": recipe.data.model_copy(update=paths)}
    if recipe.weights not in (None, "coco"):
        changes["weights"] = str((base / Path(str(recipe.weights)).expanduser()).resolve())
    return recipe.model_copy(update=changes)


def _prepare(
    recipe: Recipe, check: DatasetCheck, reporter: Reporter
) -> tuple[Job, DatasetReport | None]:
    """Return what the run consists of, and what the check of its dataset found."""
    spec = find_spec(recipe.model)
    files = locate(recipe.data, Path.cwd())
    report = None
    if check == "full":
        report = check_dataset(files, recipe=recipe, reporter=reporter)
        report.raise_for_errors()
    else:
        reporter.say("the dataset is not checked, as asked")
    train = read_coco(files.train, files.images_root)
    val = read_coco(files.val, files.images_root)
    if check == "skip":
        _refuse_other_classes(train, val)
    if all(instance.is_crowd for record in val.images for instance in record.instances):
        raise DatasetError(
            "the validation split has nothing but crowd regions to find",
            where=str(files.val),
            remedy="label instances in it, since they decide which checkpoint is the best one",
        )
    preprocess = spec.preprocess
    if recipe.image_size is not None:
        preprocess = replace(preprocess, size_hw=recipe.image_size)
    job = Job(
        recipe=recipe,
        spec=spec,
        preprocess=preprocess,
        files=files,
        train=train,
        val=val,
        fingerprint=fingerprint_of(train, val),
        statistics={"train": statistics.count(train), "val": statistics.count(val)},
        dataset_check=check,
    )
    return job, report


def _refuse_other_classes(train: CocoDataset, val: CocoDataset) -> None:
    """Refuse splits whose labels mean different things, which no loader can make up for."""
    if train.categories != val.categories:
        raise DatasetError(
            "the two splits declare different categories",
            where=f"{train.annotation_file}, {val.annotation_file}",
            remedy='put the same "categories" into both files',
        )


def _say_warnings(report: DatasetReport | None, reporter: Reporter) -> None:
    """Say every warning of the check in a line, once a run."""
    warnings = [] if report is None else [f for f in report.findings if f.severity == "warning"]
    for finding in warnings:
        reporter.say(
            f"warning: {finding.message} ({finding.count} x {finding.code}), "
            f"first: {finding.places[0]}"
        )
    if warnings:
        reporter.say("`segtune check-dataset` says what to do about the warnings")


def _fresh_state(job: Job, reporter: Reporter) -> TrainingState:
    """Build network, optimizer and averages; the network has random weights."""
    seed_step(job.recipe.seed, -1)
    network = build_model(job.spec.name, len(job.train.categories))
    if job.recipe.freeze == "nothing":
        thaw(network)
    elif job.recipe.weights is None and frozen_parts(network):
        raise RecipeError(
            f"{job.spec.name} begins with random weights, of which "
            f"{len(frozen_parts(network))} tensors would stay so",
            where="freeze",
            remedy="give `weights`, or freeze nothing: --set freeze=nothing",
        )
    if job.recipe.regions_per_image is not None:
        _limit_regions(network, job)
    size = sum(parameter.size for parameter in network.parameters() if not parameter.stop_gradient)
    reporter.say(
        f"{job.spec.name}: {size / 1e6:.1f} million trainable weights, "
        f"{len(job.train.categories)} classes, "
        f"{len(job.train.images)} training and {len(job.val.images)} validation images"
    )
    optimizer = build_optimizer(network, job.recipe.optimizer)
    averages = Ema(network, job.recipe.ema) if job.recipe.ema.decay else None
    return TrainingState(network, optimizer, averages)


def _limit_regions(network: InstanceSegmenter, job: Job) -> None:
    if network.regions_per_image is None:
        raise RecipeError(
            f"{job.spec.name} samples no regions to learn from",
            where="regions_per_image",
            remedy="leave the key out; it belongs to the R-CNN models",
        )
    network.regions_per_image = job.recipe.regions_per_image


def _find_weights(recipe: Recipe, reporter: Reporter) -> Path | None:
    """Return the file that the run begins with, None for random weights."""
    spec = find_spec(recipe.model)
    if recipe.weights is None:
        return None
    if recipe.weights == "coco":
        return fetch_weights(spec, reporter=reporter)
    path = Path(recipe.weights)
    if not path.is_file():
        raise WeightsError(
            f"there are no weights at {path}",
            where="weights",
            remedy="give a .safetensors or .pdparams file, coco, or --from-scratch",
        )
    return path


def _begin(state: TrainingState, weights: Path | None, reporter: Reporter) -> None:
    """Put the weights that the run begins with into the network."""
    if weights is None:
        reporter.say("begin with random weights, as asked")
        return
    for line in load_weights(state.network, weights).summary():
        reporter.say(line)


def _run(
    job: Job,
    state: TrainingState,
    folder: RunFolder,
    tracking: Tracking,
    device: Device,
    reporter: Reporter,
) -> TrainSummary:
    """Train from where the state stands to the end, then export and write the outcome."""
    tracker = tracking.tracker
    try:
        learn(job, state, folder, tracker, device, reporter)
        _export_best(job, folder, device, reporter)
        result = _result(job, folder, tracking)
        write_result(folder, result)
        tracker.log_bundle(folder.bundle)
        for file in (
            folder.recipe,
            folder.dataset_check,
            folder.metrics,
            folder.curves,
            folder.log,
            folder.result,
        ):
            tracker.log_artifact(file)
    except KeyboardInterrupt:
        tracker.finish("KILLED")
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish("FINISHED")
    return TrainSummary(
        run_folder=folder.path,
        mask_ap=result.metrics["mask_ap"],
        box_ap=result.metrics["box_ap"],
        checkpoint=folder.best,
        bundle=folder.bundle,
        mlflow_run_id=tracking.run_id,
    )


def _export_best(job: Job, folder: RunFolder, device: Device, reporter: Reporter) -> None:
    """Write the best checkpoint's bundle, unless a killed run has written it already."""
    if folder.bundle.exists():
        return
    network, info = load_network(folder.best)
    bundle_info = BundleInfo.of_checkpoint(info)
    photographs = [record.path for record in job.val.images[:AGREEMENT_IMAGES]]
    agreement = export_network(
        network, bundle_info, folder.bundle, images=photographs, device=device, reporter=reporter
    )
    reporter.say(str(agreement))


def _result(job: Job, folder: RunFolder, tracking: Tracking) -> TrainResult:
    best = read_info(folder.best)
    return TrainResult(
        model_name=job.spec.name,
        epochs=job.recipe.epochs,
        best_epoch=best.epoch,
        metrics=best.metrics,
        dataset_fingerprint=job.fingerprint,
        mlflow_run_id=tracking.run_id,
        mlflow_uri=tracking.uri,
        dataset_check=job.dataset_check,
    )
