from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from segtune.errors import CheckpointError
from segtune.training.failed_step import FailedStep, StepInfo, read_failed_step, write_failed_step
from tests.failing import batch_of_two

Arrays = dict[str, NDArray[Any]]
Fields = dict[str, Any]
INFO = StepInfo(
    model_name="PP-YOLOE_seg-S",
    num_classes=3,
    regions_per_image=None,
    seed=5,
    step=12,
    image_ids=[7, 3],
    file_names=["a.png", "größe, 2.png"],
    trained=["head.weight"],
    frozen_norms=[],
    device="cpu",
    threads=2,
    segtune_version="0.1.0",
    paddle_version="3.3.1",
    problem="loss is not finite",
)
WEIGHTS = {"head.weight": np.array([[1, np.nan], [2, 3], [4, 5]], np.float32)}


def _written(folder: Path, failed: FailedStep | None = None) -> Path:
    file = folder / "failed_step_00000012.safetensors"
    write_failed_step(file, failed or FailedStep(INFO, batch_of_two(), WEIGHTS))
    return file


def _changed(file: Path, change: Callable[[Fields, Arrays], object]) -> None:
    """Write the file anew with other fields or arrays."""
    with safe_open(file, framework="numpy") as stored:
        texts = dict(stored.metadata())
        arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    form = texts.pop("format")
    fields = {name: json.loads(text) for name, text in texts.items()}
    change(fields, arrays)
    form = fields.pop("format", form)
    texts = {name: json.dumps(value) for name, value in fields.items()}
    save_file(arrays, file, {"format": form, **texts})


def test_a_step_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = _written(tmp_path)

    failed = read_failed_step(file)

    assert failed.info == INFO
    np.testing.assert_array_equal(failed.weights["head.weight"], WEIGHTS["head.weight"])
    for name, array in vars(batch_of_two()).items():
        np.testing.assert_array_equal(getattr(failed.batch, name), array, err_msg=name)
    assert list(tmp_path.iterdir()) == [file]


def test_a_batch_without_objects_comes_back(tmp_path: Path) -> None:
    empty = batch_of_two()
    fields = ("boxes", "labels", "masks", "valid")
    empty = replace(empty, **{name: getattr(empty, name)[:, :0] for name in fields})

    failed = read_failed_step(_written(tmp_path, FailedStep(INFO, empty, WEIGHTS)))

    assert failed.batch.boxes.shape == (2, 0, 4)
    assert failed.batch.masks.shape == (2, 0, 16, 16)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_file_that_is_cut_off_is_an_error_that_names_it(tmp_path: Path, share: float) -> None:
    file = _written(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])

    with pytest.raises(CheckpointError, match="damaged, or no step that a run has kept") as caught:
        read_failed_step(file)

    assert caught.value.where == str(file)


def _put(name: str, value: Any) -> Callable[[Fields, Arrays], object]:
    return lambda fields, arrays: fields.update({name: value})


def _put_array(name: str, array: NDArray[Any]) -> Callable[[Fields, Arrays], object]:
    return lambda fields, arrays: arrays.update({name: array})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_put("format", "pt"), "of another kind", id="another kind of file"),
        pytest.param(_put("format", "segtune failed step 9"), "this segtune reads", id="newer"),
        pytest.param(_put("format", "segtune failed step 1"), "this segtune reads", id="older"),
        pytest.param(_put("model_name", "PP-YOLOE_seg-Z"), "no model", id="unknown model"),
        pytest.param(_put("seed", "5"), "seed: ", id="text for a number"),
        pytest.param(_put("more", 1), "more: ", id="unknown field"),
        pytest.param(lambda fields, arrays: fields.pop("step"), "step: ", id="field missing"),
        pytest.param(_put("file_names", ["a.png"]), "one file name for each", id="a name too few"),
        pytest.param(_put("num_classes", 10**9), "made for 1000000000", id="too many classes"),
        pytest.param(
            lambda fields, arrays: arrays.pop("batch:boxes"), "batch:boxes is absent", id="no boxes"
        ),
        pytest.param(
            _put_array("batch:images", np.zeros((2, 3, 64, 64))), "F64, not F32", id="float64"
        ),
        pytest.param(
            _put_array("else", np.zeros(1, np.float32)), "else is F32, not absent", id="more arrays"
        ),
        pytest.param(
            _put_array("batch:images", np.zeros((2, 3, 64, 48), np.float32)),
            r"masks have the shape \(2, 2, 16, 16\), not \(2, 2, 16, 12\)",
            id="masks of another size",
        ),
        pytest.param(
            _put_array("batch:images", np.zeros((2, 3, 0, 64), np.float32)),
            "masks have the shape",
            id="images without rows",
        ),
        pytest.param(
            _put_array("batch:images", np.zeros((12, 64), np.float32)),
            "images have the shape",
            id="flat images",
        ),
        pytest.param(
            _put_array("batch:sizes_hw", np.full((2, 2), 65, np.float32)),
            "not within its input of 64 x 64",
            id="image larger than its input",
        ),
        pytest.param(
            _put_array("batch:sizes_hw", np.full((2, 2), np.nan, np.float32)),
            "not within its input of 64 x 64",
            id="image without a size",
        ),
        pytest.param(
            _put_array("batch:labels", np.array([[0, 3], [1, 0]])),
            "outside of 0 to 2",
            id="label of no class",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, change: Callable[[Fields, Arrays], object], words: str
) -> None:
    file = _written(tmp_path)
    _changed(file, change)

    with pytest.raises(CheckpointError, match=words) as caught:
        read_failed_step(file)

    assert caught.value.where == str(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        read_failed_step(tmp_path / "nowhere")
