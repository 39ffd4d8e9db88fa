"""All epochs of a run: steps, evaluations, checkpoints, figures."""

from __future__ import annotations

import time
from functools import partial

from segtune.data.dataset import TrainingSet
from segtune.data.loader import BatchLoader
from segtune.devices import Device
from segtune.evaluation.coco_ap import CocoEvaluator
from segtune.evaluation.report import MAIN_METRIC, Report
from segtune.evaluation.run import evaluate_predictor
from segtune.predictor import Predictor
from segtune.progress import Reporter
from segtune.runtime.dygraph import DygraphBackend
from segtune.tracking import Tracker
from segtune.training.curves import draw_curves
from segtune.training.failure import failures_kept
from segtune.training.interrupt import interruptible
from segtune.training.job import Job
from segtune.training.loop import TrainingState, train_epoch
from segtune.training.run_folder import RunFolder
from segtune.training.schedule import learning_rate
from segtune.training.state import save_state, used_weights
from segtune.zoo import build_model


def learn(
    job: Job,
    state: TrainingState,
    folder: RunFolder,
    tracker: Tracker,
    device: Device,
    reporter: Reporter,
) -> None:
    """Take all steps that are left, with an evaluation and a checkpoint where they are due."""
    recipe = job.recipe
    training_set = TrainingSet(
        job.train,
        job.preprocess,
        recipe.augment,
        mask_stride=job.spec.mask_stride,
        seed=recipe.seed,
    )
    judge = Judge(job, device, reporter)
    loader = BatchLoader(
        training_set,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        workers=recipe.data.workers,
    )
    with loader, interruptible() as stop_asked, failures_kept(job, state, folder, device):
        total = recipe.epochs * loader.steps_per_epoch
        rate_of = partial(
            learning_rate,
            total_steps=total,
            peak=recipe.optimizer.lr,
            recipe=recipe.schedule,
        )
        with reporter.task("train", total - state.step) as task:
            while state.epoch < recipe.epochs:
                started = time.monotonic()
                first_step = state.step - state.epoch * loader.steps_per_epoch
                batches = loader.epoch(state.epoch, first_step)
                finished = train_epoch(
                    state,
                    batches,
                    rate_of=rate_of,
                    seed=recipe.seed,
                    task=task,
                    stop_asked=stop_asked,
                )
                if not finished:
                    save_state(state, folder.checkpoint(state.step), job=job, metrics={})
                    reporter.say(f"stopped after step {state.step} of {total}")
                    raise KeyboardInterrupt(f"segtune train --resume {folder.path}")
                row = {
                    "epoch": state.epoch + 1,
                    "step": state.step,
                    "lr": rate_of(state.step - 1),
                    **{k: v / loader.steps_per_epoch for k, v in state.loss_sums.items()},
                    "train_s": round(time.monotonic() - started, 2),
                }
                _finish_epoch(job, state, folder, tracker, judge, row, reporter)


def _finish_epoch(
    job: Job,
    state: TrainingState,
    folder: RunFolder,
    tracker: Tracker,
    judge: Judge,
    row: dict[str, float],
    reporter: Reporter,
) -> None:
    """Evaluate and save what is due; the numbered checkpoint comes last and makes it final."""
    state.epoch += 1
    state.loss_sums = {}
    last = state.epoch == job.recipe.epochs
    metrics: dict[str, float] = {}
    if last or state.epoch % job.recipe.evaluate.every_epochs == 0:
        metrics = judge.report(state).to_metrics()
        row |= {name: value for name, value in metrics.items() if not name.startswith("class/")}
    state.history.append(row)
    score = metrics.get(MAIN_METRIC)
    if score is not None and _is_best(score, state, folder):
        state.best_metric = score
        save_state(state, folder.best, job=job, metrics=metrics, resumable=False)
    folder.write_metrics(state.history)
    draw_curves(state.history, folder.curves, f"{job.spec.name}, {folder.path.name}")
    tracker.log_epoch(row | metrics, state.step)
    if last or state.epoch % job.recipe.checkpoint.every_epochs == 0:
        save_state(state, folder.checkpoint(state.step), job=job, metrics=metrics)
        folder.prune(job.recipe.checkpoint.keep)
    figures = f", mask AP {100 * score:.1f}" if score is not None else ""
    reporter.say(f"epoch {state.epoch}: loss {row['loss']:.3f}, lr {row['lr']:.2g}{figures}")


def _is_best(score: float, state: TrainingState, folder: RunFolder) -> bool:
    """Tell whether the weights are the best so far; a kill may have taken the ones that were."""
    return state.best_metric is None or score >= state.best_metric or not folder.best.exists()


class Judge:
    """Evaluates the weights to use on the validation split, in a network of its own."""

    def __init__(self, job: Job, device: Device, reporter: Reporter) -> None:
        self._network = build_model(job.spec.name, len(job.train.categories))
        self._network.eval()
        self._predictor = Predictor(
            backend=DygraphBackend(self._network, device),
            preprocess=job.preprocess,
            categories=job.train.categories,
            mask_frame=job.spec.mask_frame,
            model_name=job.spec.name,
        )
        self._val = job.val
        self._evaluator = CocoEvaluator(job.val)
        self._batch_size = job.recipe.evaluate.batch_size
        self._reporter = reporter

    def report(self, state: TrainingState) -> Report:
        """Return the figures of the weights that would be exported now."""
        self._network.set_state_dict(used_weights(state))
        return evaluate_predictor(
            self._predictor,
            self._val,
            batch_size=self._batch_size,
            reporter=self._reporter,
            evaluator=self._evaluator,
        )
