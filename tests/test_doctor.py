from __future__ import annotations

from pathlib import Path

import pytest

from segtune.doctor import diagnose


def _values(group: str) -> dict[str, str]:
    facts: dict[str, dict[str, str]] = diagnose(measure=False).to_json()["facts"]
    return facts[group]


def test_system_paddle_and_threads_are_told() -> None:
    facts = diagnose(measure=False).to_json()["facts"]

    assert {"Python", "processor", "usable cores"} <= set(facts["system"])
    assert facts["Paddle"]["devices"].startswith("cpu")
    assert facts["Paddle"]["oneDNN"] in ("yes", "no")
    assert "OMP_NUM_THREADS" in facts["environment"]


def test_a_store_beside_the_runs_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    assert _values("MLflow") == {f"sqlite:///{tmp_path.as_posix()}/mlflow.db": "reachable"}
    assert list(tmp_path.iterdir()) == []


def test_a_dead_tracking_server_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")

    diagnosis = diagnose(measure=False)

    assert "not reachable" in diagnosis.to_json()["facts"]["MLflow"]["http://127.0.0.1:1"]
    (entry,) = (entry for entry in diagnosis.missing if "MLflow" in entry.what)
    assert not entry.needed
    assert "MLFLOW_TRACKING_URI" in entry.remedy


@pytest.mark.slow
def test_the_speed_is_measured_with_and_without_the_settings() -> None:
    facts = [fact for fact in diagnose(measure=True).facts if fact.group == "speed"]

    assert len(facts) == 2
    assert all(fact.value.endswith("GFLOP/s") for fact in facts)
