from __future__ import annotations

from pathlib import Path

from segtune.tracking import bundle_digest, connect, local_copy, open_experiment, upload_bundle
from segtune.tracking.bundles import BUNDLE_TAG


def draw_bundle(folder: Path, text: str) -> Path:
    """A folder with two files, one of them nested."""
    (folder / "deep").mkdir(parents=True)
    (folder / "inference.yml").write_text(text)
    (folder / "deep/graph.json").write_text("{}")
    return folder


def test_a_digest_follows_names_and_contents(tmp_path: Path) -> None:
    one = bundle_digest(draw_bundle(tmp_path / "a", "x"))

    assert bundle_digest(draw_bundle(tmp_path / "b", "x")) == one
    assert bundle_digest(draw_bundle(tmp_path / "c", "y")) != one
    (tmp_path / "b/inference.yml").rename(tmp_path / "b/other.yml")
    assert bundle_digest(tmp_path / "b") != one


def test_bundles_of_a_run_lie_beside_each_other(store: str, tmp_path: Path) -> None:
    client = connect(store)
    run = client.create_run(open_experiment(client, store, "bundles"))

    first = upload_bundle(client, run.info.run_id, draw_bundle(tmp_path / "a", "x"))
    second = upload_bundle(client, run.info.run_id, draw_bundle(tmp_path / "b", "y"))

    assert client.get_run(run.info.run_id).data.tags[BUNDLE_TAG] == second
    for place, text in [(first, "x"), (second, "y")]:
        folder = local_copy(store, f"{run.info.artifact_uri}/{place}")
        assert (folder / "inference.yml").read_text() == text
        assert (folder / "deep/graph.json").read_text() == "{}"


def test_a_bundle_that_was_cut_off_is_completed(store: str, tmp_path: Path) -> None:
    client = connect(store)
    run = client.create_run(open_experiment(client, store, "bundles"))
    folder = draw_bundle(tmp_path / "a", "x")
    place = upload_bundle(client, run.info.run_id, folder)
    stored = local_copy(store, f"{run.info.artifact_uri}/{place}")
    (stored / "deep/graph.json").write_text("{")

    upload_bundle(client, run.info.run_id, folder)

    assert (stored / "deep/graph.json").read_text() == "{}"
