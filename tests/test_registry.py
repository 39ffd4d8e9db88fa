from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segtune.bundle import PADDLEX_INFO, BundleInfo, read_info, write_info
from segtune.categories import Categories
from segtune.errors import BundleError, RegistryError
from segtune.preprocess import PreprocessSpec
from segtune.registry import is_model_uri, list_models, register, resolve_uri, show
from segtune.tracking import MlflowTracker, bundle_digest, connect
from segtune.training.result import TrainResult, write_result
from segtune.training.run_folder import RunFolder, create_run_folder
from tests.tracking.server import free_port, mlflow_server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests here, each of which uses a name of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"


@pytest.fixture
def store(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database, as the store of this process."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    return database


def draw_bundle(folder: Path, graph: str = "{}") -> Path:
    """A bundle whose graphs are no networks."""
    folder.mkdir(parents=True)
    for name in ("inference.json", "network.json", "inference.pdiparams"):
        (folder / name).write_text(graph)
    categories = Categories([(1, "pen"), (7, "cap, blue")])
    write_info(folder, BundleInfo("PP-YOLOE_seg-S", categories, PreprocessSpec(size_hw=(64, 64))))
    return folder


def draw_run(runs: Path, run_id: str | None) -> RunFolder:
    """The folder of a run that has ended."""
    folder = create_run_folder(runs, "pens", "model: PP-YOLOE_seg-S\n")
    folder.checkpoints.mkdir()
    draw_bundle(folder.bundle)
    result = TrainResult("PP-YOLOE_seg-S", 3, 2, {"mask_ap": 0.75}, "f" * 64, run_id, None)
    write_result(folder, result)
    return folder


def test_a_tracked_run_is_registered_with_what_it_has_recorded(store: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store, "segtune")
    run_id = tracker.start("pens-1", {}, {})
    folder = draw_run(tmp_path / "runs", run_id)
    tracker.log_bundle(folder.bundle)
    tracker.finish("FINISHED")

    version = register(str(folder.path), name="tracked", alias="champion")

    assert (version.name, version.version, version.aliases) == ("tracked", 1, ("champion",))
    assert (version.run_id, version.model_name) == (run_id, "PP-YOLOE_seg-S")
    assert version.mask_ap == 0.75
    tags = connect(store).get_model_version("tracked", "1").tags
    assert tags["dataset_fingerprint"] == "f" * 64
    assert tags["categories"] == "pen, cap, blue"
    assert tags["bundle_sha256"] == bundle_digest(folder.bundle)
    place = resolve_uri("models:/tracked@champion")
    assert read_info(place) == read_info(folder.bundle)
    assert bundle_digest(place) == bundle_digest(folder.bundle)


def test_a_run_is_found_by_its_name_within_the_runs(store: str, tmp_path: Path) -> None:
    draw_run(tmp_path / "runs", None)

    version = register("pens-1", name="by_name", runs=tmp_path / "runs")

    assert version.mask_ap == 0.75
    assert version.run_id is not None
    assert resolve_uri("models:/by_name/1").is_dir()


def test_a_run_that_this_store_does_not_know_is_registered_all_the_same(
    store: str, tmp_path: Path
) -> None:
    folder = draw_run(tmp_path / "runs", "0" * 32)

    assert register(str(folder.path), name="moved").run_id != "0" * 32


def test_an_mlflow_run_is_registered_by_its_id(store: str, tmp_path: Path) -> None:
    bundle = draw_bundle(tmp_path / "inference")
    tracker = MlflowTracker(store, "segtune")
    run_id = tracker.start("pens-1", {}, {})
    tracker.log_dataset("train", tmp_path / "train.json", "abc", {}, context="training")
    with pytest.raises(RegistryError, match="holds no bundle"):
        register(run_id, name="by_id")
    tracker.log_epoch({"mask_ap": 0.5}, 1)
    tracker.log_epoch({"mask_ap": 0.25}, 2)
    tracker.log_bundle(bundle)

    version = register(run_id, name="by_id")

    assert version.mask_ap == 0.5
    assert connect(store).get_model_version("by_id", "1").tags["dataset_fingerprint"] == "abc"
    with pytest.raises(RegistryError, match="MLflow has no run 00"):
        register("0" * 32, name="by_id")


def test_a_version_never_changes_when_its_run_exports_again(store: str, tmp_path: Path) -> None:
    folder = draw_run(tmp_path / "runs", None)
    first = register(str(folder.path), name="grown")
    shutil.rmtree(folder.bundle)
    draw_bundle(folder.bundle, "{ }")
    draw_run_again = register(str(folder.path), name="grown", alias="best")

    assert (first.version, draw_run_again.version) == (1, 2)
    assert (resolve_uri("models:/grown/1") / "inference.pdiparams").read_text() == "{}"
    assert (resolve_uri("models:/grown@best") / "inference.pdiparams").read_text() == "{ }"


def test_an_alias_moves_to_the_version_that_claims_it(store: str, tmp_path: Path) -> None:
    bundle = draw_bundle(tmp_path / "inference")
    register(str(bundle), name="moving", alias="champion")
    second = register(str(bundle), name="moving", alias="champion")

    model = show("moving")

    assert [(entry.version, entry.aliases) for entry in model.versions] == [
        (2, ("champion",)),
        (1, ()),
    ]
    assert model.versions[0] == second
    assert second.mask_ap is None
    assert model in list_models()
    assert second.to_json()["aliases"] == ["champion"]


def test_what_is_not_there_is_named_with_what_is(store: str, tmp_path: Path) -> None:
    register(str(draw_bundle(tmp_path / "inference")), name="present", alias="champion")

    with pytest.raises(RegistryError, match="no model is registered as 'absent'") as name:
        resolve_uri("models:/absent@champion")
    with pytest.raises(RegistryError, match="present has no alias 'best'") as alias:
        resolve_uri("models:/present@best")
    with pytest.raises(RegistryError, match="present has no version 2"):
        resolve_uri("models:/present/2")

    assert name.value.remedy is not None
    assert "present" in name.value.remedy
    assert alias.value.remedy == "versions: 1; aliases: champion"


@pytest.mark.parametrize("name", ["a/b", "a:b", "", " ", "a b", "a@b", "-a", "ä", "../a"])
def test_a_name_that_mlflow_or_a_reference_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(RegistryError, match="cannot name a registered model"):
        register("anything", name=name)


@pytest.mark.parametrize("alias", ["", "latest", "Latest", "v1", "a b", "a@b"])
def test_an_alias_that_mlflow_keeps_for_itself_is_refused(alias: str) -> None:
    with pytest.raises(RegistryError, match="cannot be an alias"):
        register("anything", name="pens", alias=alias)


@pytest.mark.parametrize(
    "reference", ["models:pens", "models:/pens", "models:/pens/latest", "models:/pens@", "models:/"]
)
def test_a_reference_without_a_version_is_refused(reference: str) -> None:
    assert is_model_uri(reference)
    with pytest.raises(RegistryError, match="does not name a registered version"):
        resolve_uri(reference)


def test_what_is_no_finished_run_is_refused_before_mlflow_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    unfinished = draw_run(tmp_path / "runs", None)
    unfinished.result.unlink()
    damaged = draw_bundle(tmp_path / "damaged")
    (damaged / "network.json").unlink()

    with pytest.raises(RegistryError, match="there is no run 'nothing'"):
        register("nothing", name="pens", runs=tmp_path / "runs")
    with pytest.raises(RegistryError, match="has not ended"):
        register(str(unfinished.path), name="pens")
    with pytest.raises(BundleError, match=r"no network\.json"):
        register(str(damaged), name="pens")

    assert not (tmp_path / "mlflow.db").exists()


def test_looking_into_a_registry_that_is_not_there_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    assert list_models() == []
    with pytest.raises(RegistryError, match="no model is registered as 'pens'") as caught:
        resolve_uri("models:/pens@champion")

    assert caught.value.remedy == "register one: segtune registry register RUN --name NAME"
    assert list(tmp_path.iterdir()) == []


def test_files_that_somebody_removed_are_missed(store: str, tmp_path: Path) -> None:
    register(str(draw_bundle(tmp_path / "inference")), name="removed")
    (resolve_uri("models:/removed/1") / PADDLEX_INFO).unlink()

    with pytest.raises(RegistryError, match="the files of models:/removed/1 are gone"):
        resolve_uri("models:/removed/1")


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(RegistryError, match=r"no answer from http://127\.0\.0\.1:9"):
        list_models("http://127.0.0.1:9")


@pytest.mark.slow
def test_a_bundle_on_a_server_is_downloaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTUNE_CACHE", str(tmp_path / "cache"))
    bundle = draw_bundle(tmp_path / "inference")

    with mlflow_server(tmp_path, free_port()) as uri:
        register(str(bundle), name="served", alias="champion", uri=uri)
        place = resolve_uri("models:/served@champion", uri)
        (place / PADDLEX_INFO).touch()
        again = resolve_uri("models:/served/1", uri)

    assert place == again
    assert place.is_relative_to(tmp_path / "cache")
    assert bundle_digest(place) == bundle_digest(bundle)
