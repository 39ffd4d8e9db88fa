"""A run's record in MLflow, begun once and found again when the run is continued."""

from __future__ import annotations

import json
from dataclasses import dataclass

from segtune.files import write_text
from segtune.progress import Reporter
from segtune.tracking import MlflowTracker, NullTracker, Tracker, tracking_uri
from segtune.training.job import Job
from segtune.training.run_folder import RunFolder

TRACKING_FILE = "tracking.json"


@dataclass(frozen=True)
class Tracking:
    """A tracker that has started, and where its record is kept; None when nothing is recorded."""

    tracker: Tracker
    run_id: str | None = None
    uri: str | None = None


def start_tracking(job: Job, folder: RunFolder, reporter: Reporter) -> Tracking:
    """Begin the run's record as its recipe says. Raises RecipeError when the store is not there."""
    if not job.recipe.tracking.enabled:
        return Tracking(NullTracker())
    workspace = folder.path.resolve().parent.parent
    uri = tracking_uri(job.recipe.tracking.uri, workspace)
    tracker = MlflowTracker(uri, job.recipe.tracking.experiment, reporter=reporter)
    run_id = tracker.start(
        folder.path.name,
        job.recipe.model_dump(mode="json"),
        {
            "segtune.model": job.spec.name,
            "segtune.run_folder": str(folder.path.resolve()),
            "segtune.dataset_check": job.dataset_check,
        },
    )
    for split, file, context in (
        ("train", job.files.train, "training"),
        ("val", job.files.val, "validation"),
    ):
        statistics = job.statistics[split].to_json()
        tracker.log_dataset(file.stem, file, job.fingerprint, statistics, context=context)
    write_text(folder.path / TRACKING_FILE, json.dumps({"run_id": run_id, "uri": uri}) + "\n")
    reporter.say(f"MLflow run {run_id} at {uri}")
    return Tracking(tracker, run_id, uri)


def continue_tracking(job: Job, folder: RunFolder, reporter: Reporter) -> Tracking:
    """Go on with the record that the run began. Raises RecipeError when the store is not there."""
    file = folder.path / TRACKING_FILE
    if not file.exists():
        return start_tracking(job, folder, reporter)
    kept = json.loads(file.read_text(encoding="utf-8"))
    tracker = MlflowTracker(kept["uri"], job.recipe.tracking.experiment, reporter=reporter)
    tracker.resume(kept["run_id"])
    return Tracking(tracker, kept["run_id"], kept["uri"])
