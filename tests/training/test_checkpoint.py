import json
from pathlib import Path

import numpy as np
import pytest

from segtune.categories import Categories
from segtune.errors import CheckpointError
from segtune.preprocess import PreprocessSpec
from segtune.training.checkpoint import (
    INFO_FILE,
    MODEL_FILE,
    CheckpointInfo,
    is_checkpoint,
    load_network,
    read_info,
    read_training,
    read_weights,
    write_checkpoint,
)

INFO = CheckpointInfo(
    model_name="PP-YOLOE_seg-S",
    categories=Categories([(4, "cup"), (9, "Stift, rot")]),
    preprocess=PreprocessSpec(size_hw=(320, 352)),
    dataset_fingerprint="f" * 64,
    epoch=3,
    step=42,
    metrics={"mask_ap": 1 / 3},
    best_metric=1 / 3,
    ema_updates=42,
    ema_unseen=0.1 + 0.2,
    history=[{"epoch": 1, "loss": 2.5}],
)
WEIGHTS = {"stem.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, {"network:stem.weight": WEIGHTS["stem.weight"]})

    assert is_checkpoint(tmp_path / "c")
    assert read_info(tmp_path / "c") == INFO
    np.testing.assert_array_equal(
        read_weights(tmp_path / "c")["stem.weight"], [[0, 1, 2], [3, 4, 5]]
    )
    assert list(read_training(tmp_path / "c")) == ["network:stem.weight"]


def test_the_best_checkpoint_cannot_be_resumed_from_and_says_so(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "best", INFO, WEIGHTS, None)

    with pytest.raises(CheckpointError, match=r"training\.safetensors is missing"):
        read_training(tmp_path / "best")


def test_writing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, WEIGHTS)
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, None)

    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [INFO_FILE, MODEL_FILE]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param(
            INFO_FILE, lambda content: content[: len(content) // 2], id="JSON cut in half"
        ),
        pytest.param(INFO_FILE, lambda content: b"[]", id="JSON of another kind"),
        pytest.param(MODEL_FILE, lambda content: content[:-2], id="weights cut short"),
        pytest.param(MODEL_FILE, lambda content: b"", id="weights empty"),
    ],
)
def test_damage_is_an_error_that_names_the_file(tmp_path: Path, name: str, damage) -> None:
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, None)
    file = tmp_path / "c" / name
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(CheckpointError) as caught:
        load_network(tmp_path / "c")

    assert caught.value.where == str(file)


def test_another_format_asks_for_the_version_that_wrote_it(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, None)
    file = tmp_path / "c" / INFO_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))

    with pytest.raises(CheckpointError, match="format 99"):
        read_info(tmp_path / "c")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    assert not is_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read_info(tmp_path)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", INFO, WEIGHTS, None)

    with pytest.raises(CheckpointError, match=r"tensors differ .* first \S+"):
        load_network(tmp_path / "c")
