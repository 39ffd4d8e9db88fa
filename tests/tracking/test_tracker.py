from __future__ import annotations

import json
from pathlib import Path

import pytest

from segtune.errors import RecipeError
from segtune.progress import SilentReporter
from segtune.tracking import MlflowTracker, NullTracker, connect
from tests.tracking.server import free_port, mlflow_server


class Listener(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_run_holds_what_was_recorded(store: str, workspace: Path, tmp_path: Path) -> None:
    curves = tmp_path / "curves.png"
    curves.write_bytes(b"picture")
    bundle = tmp_path / "inference"
    bundle.mkdir()
    (bundle / "inference.yml").write_text("x")
    listener = Listener()
    tracker = MlflowTracker(store, "segtune", reporter=listener)

    params = {"lr": 0.1, "ema": {"decay": 0, "kind": None}, "long": "x" * 9000}
    run_id = tracker.start("tiny-1", params, {"model": "PP-YOLOE_seg-S"})
    tracker.log_dataset("train", tmp_path / "a.json", "f" * 64, {"images": 6}, context="training")
    tracker.log_epoch({"loss": 2.5, "class/nut (green)/mask_ap": float("nan")}, step=10)
    tracker.log_epoch({"loss": 1.5}, step=20)
    tracker.log_artifact(curves)
    tracker.log_bundle(bundle)
    tracker.finish("FINISHED")

    client = connect(store)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny-1"
    assert run.data.tags["model"] == "PP-YOLOE_seg-S"
    long = run.data.params.pop("long")
    assert run.data.params == {"lr": "0.1", "ema.decay": "0", "ema.kind": "None"}
    assert len(long) == 6000
    losses = client.get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in losses] == [(10, 2.5), (20, 1.5)]
    assert "class/nut _green_/mask_ap" in run.data.metrics
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("train", "f" * 36)
    assert json.loads(given.dataset.profile) == {"images": 6, "fingerprint": "f" * 64}
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    artifacts = workspace / "mlartifacts" / run_id / "artifacts"
    assert (artifacts / "curves.png").read_bytes() == b"picture"
    assert [path.name for path in artifacts.glob("bundle/*/*")] == ["inference.yml"]
    assert listener.said == []


def test_a_resumed_run_goes_on_under_its_id(store: str) -> None:
    first = MlflowTracker(store, "segtune")
    run_id = first.start("tiny-2", {}, {})
    first.log_epoch({"loss": 3.0}, step=1)
    first.finish("KILLED")

    second = MlflowTracker(store, "segtune")
    second.resume(run_id)
    assert connect(store).get_run(run_id).info.status == "RUNNING"
    second.log_epoch({"loss": 2.0}, step=2)
    second.finish("FINISHED")

    history = connect(store).get_metric_history(run_id, "loss")
    assert [point.value for point in history] == [3.0, 2.0]
    assert connect(store).get_run(run_id).info.status == "FINISHED"


def test_a_run_that_the_store_does_not_know_cannot_be_resumed(store: str) -> None:
    with pytest.raises(RecipeError, match="not found"):
        MlflowTracker(store, "segtune").resume("0" * 32)


def test_the_null_tracker_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = NullTracker()

    assert tracker.start("run", {}, {}) is None
    tracker.log_dataset("train", tmp_path / "a.json", "f", {}, context="training")
    tracker.log_epoch({"loss": 1.0}, 1)
    tracker.finish("FINISHED")
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_experiment_is_an_error_that_says_how_to_restore_it(store: str) -> None:
    MlflowTracker(store, "gone").start("run", {}, {})
    experiment = connect(store).get_experiment_by_name("gone")
    connect(store).delete_experiment(experiment.experiment_id)

    with pytest.raises(RecipeError, match="the MLflow experiment gone was deleted"):
        MlflowTracker(store, "gone").start("run", {}, {})


def test_a_store_that_is_not_there_stops_the_run_before_it_begins() -> None:
    tracker = MlflowTracker("http://127.0.0.1:9", "segtune")

    with pytest.raises(RecipeError, match=r"no answer from http://127\.0\.0\.1:9"):
        tracker.start("run", {}, {})


def test_a_record_that_is_refused_is_named_once_and_the_rest_goes_on(
    store: str, tmp_path: Path
) -> None:
    listener = Listener()
    tracker = MlflowTracker(store, "segtune", reporter=listener)
    run_id = tracker.start("tiny-3", {}, {})

    tracker.log_artifact(tmp_path / "absent.png")
    tracker.log_artifact(tmp_path / "absent.png")
    tracker.log_epoch({"loss": 1.0}, 1)

    assert len(listener.said) == 1
    assert "MLflow does not take the file /absent.png" in listener.said[0]
    assert connect(store).get_run(run_id).data.metrics == {"loss": 1.0}


@pytest.mark.slow
def test_training_goes_on_while_the_server_is_dead_and_nothing_is_lost(tmp_path: Path) -> None:
    port = free_port()
    bundle = tmp_path / "inference"
    bundle.mkdir()
    (bundle / "inference.yml").write_text("x")
    listener = Listener()

    with mlflow_server(tmp_path, port) as uri:
        tracker = MlflowTracker(uri, "segtune", reporter=listener, retry_after_s=0)
        run_id = tracker.start("tiny", {"lr": 0.1}, {})
        tracker.log_epoch({"loss": 4.0}, 1)
    for step, loss in [(2, 3.0), (3, 2.0)]:
        tracker.log_epoch({"loss": loss}, step)
    tracker.log_artifact(bundle / "inference.yml", "files")
    tracker.log_bundle(bundle)
    assert len(listener.said) == 1
    assert f"MLflow at {uri} does not answer" in listener.said[0]

    with mlflow_server(tmp_path, port):
        tracker.log_epoch({"loss": 1.0}, 4)
        tracker.finish("FINISHED")
        client = connect(uri)
        history = client.get_metric_history(run_id, "loss")
        assert [(point.step, point.value) for point in history] == [(1, 4), (2, 3), (3, 2), (4, 1)]
        assert client.get_run(run_id).info.status == "FINISHED"
        assert {entry.path for entry in client.list_artifacts(run_id)} == {"files", "bundle"}
    assert [text.partition(";")[0] for text in listener.said[1:]] == [f"MLflow at {uri} is back"]

    late = MlflowTracker(uri, "segtune", reporter=listener)
    late.resume(run_id)
    assert "does not answer" in listener.said[-1]
