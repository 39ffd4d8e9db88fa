from pathlib import Path

import pytest

from segtune.bundle import PADDLEX_INFO
from segtune.errors import CheckpointError
from segtune.sources import resolve
from segtune.training.checkpoint import INFO_FILE
from segtune.training.run_folder import create_run_folder


def _checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / INFO_FILE).write_text("{}")
    return folder


def _pipeline(path: Path, model: Path) -> Path:
    path.write_text(f"Pipeline: {{model: {model}}}")
    return path


def test_checkpoints_and_bundles_are_what_they_are(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "checkpoint")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / PADDLEX_INFO).write_text("")

    assert resolve(str(checkpoint)) == checkpoint
    assert resolve(str(bundle)) == bundle


def test_a_run_means_its_best_checkpoint(tmp_path: Path) -> None:
    run = create_run_folder(tmp_path, "pens", "")
    _checkpoint(run.checkpoint(3))
    with pytest.raises(CheckpointError, match="no evaluated checkpoint yet"):
        resolve(str(run.path))

    _checkpoint(run.best)

    assert resolve(str(run.path)) == run.best


def test_a_pipeline_config_means_the_model_that_it_names(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "checkpoint")

    assert resolve(str(_pipeline(tmp_path / "pens.yaml", checkpoint))) == checkpoint


def test_a_pipeline_config_that_names_itself_is_an_error(tmp_path: Path) -> None:
    config = tmp_path / "pens.yaml"

    with pytest.raises(CheckpointError, match="names the file"):
        resolve(str(_pipeline(config, config)))


@pytest.mark.parametrize(("place", "words"), [("", "holds no model"), ("absent", "does not exist")])
def test_what_is_no_model_is_an_error_with_all_that_would_be(
    tmp_path: Path, place: str, words: str
) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        resolve(str(tmp_path / place))

    assert "models:/NAME@ALIAS" in str(caught.value)
