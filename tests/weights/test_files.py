from __future__ import annotations

import json
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from segtune import processor
from segtune.errors import WeightsError
from segtune.weights import read_weights_file

processor.prepare()
import paddle  # noqa: E402  (after prepare, which sets what Paddle reads at import)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_state_dict_saved_by_paddle_comes_back_whole(tmp_path: Path, protocol: int) -> None:
    network = paddle.nn.Sequential(paddle.nn.Linear(2, 3), paddle.nn.BatchNorm1D(3))
    path = tmp_path / "network.pdparams"
    paddle.save(network.state_dict(), str(path), protocol=protocol)

    arrays = read_weights_file(path)

    assert set(arrays) == set(network.state_dict())
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())
        assert arrays[name].dtype == np.float32


def test_half_precision_tensors_keep_their_values(tmp_path: Path) -> None:
    tensors = {
        "half": paddle.to_tensor([1.5, -2.0], dtype="float16"),
        "brain": paddle.to_tensor([1.5, -2.0], dtype="bfloat16"),
    }
    path = tmp_path / "half.pdparams"
    paddle.save(tensors, str(path))

    arrays = read_weights_file(path)

    np.testing.assert_array_equal(arrays["half"], np.array([1.5, -2.0], np.float16))
    np.testing.assert_array_equal(arrays["brain"], np.array([1.5, -2.0], np.float32))


def test_numbers_beside_the_tensors_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "with_epoch.pdparams"
    state = OrderedDict(w=np.ones((1, 2), np.float32), pair=("name_0", np.zeros(1)), epoch=5)
    path.write_bytes(pickle.dumps(state, protocol=4))

    arrays = read_weights_file(path)

    assert list(arrays) == ["w", "pair"]
    np.testing.assert_array_equal(arrays["w"], [[1, 1]])
    np.testing.assert_array_equal(arrays["pair"], [0])


def test_memory_order_and_byte_order_do_not_change_values(tmp_path: Path) -> None:
    expected = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = tmp_path / "orders.pdparams"
    state = {"columns": np.asfortranarray(expected), "big_endian": expected.astype(">f4")}
    path.write_bytes(pickle.dumps(state, protocol=4))

    for array in read_weights_file(path).values():
        np.testing.assert_array_equal(array, expected)


def test_safetensors_come_back_with_bfloat16_widened(tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_file({"w": np.array([[1.0, 2.0]], np.float32), "n": np.array([3], np.int64)}, plain)
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    brain = tmp_path / "brain.safetensors"
    brain.write_bytes(struct.pack("<Q", len(header)) + header + b"\xc0\x3f\x00\xc0")

    arrays = read_weights_file(plain)

    np.testing.assert_array_equal(arrays["w"], [[1, 2]])
    np.testing.assert_array_equal(arrays["n"], [3])
    np.testing.assert_array_equal(read_weights_file(brain)["w"], [1.5, -2.0])


class RunsACommand:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


class MakesAnArrayOfObjects:
    def __reduce__(self) -> tuple[Any, ...]:
        return np.dtype, ("O8", False, True)


def test_a_file_that_asks_for_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    path = tmp_path / "evil.pdparams"
    path.write_bytes(pickle.dumps({"w": RunsACommand(witness)}))

    with pytest.raises(WeightsError, match="the file asks for pathlib") as caught:
        read_weights_file(path)

    assert caught.value.where == str(path)
    assert not witness.exists()


@pytest.mark.parametrize("asked", [b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nload\n"])
def test_a_known_way_to_code_is_refused(tmp_path: Path, asked: bytes) -> None:
    path = tmp_path / "evil.pdparams"
    path.write_bytes(asked + b"(S'1'\ntR.")

    with pytest.raises(WeightsError, match="may hold arrays only"):
        read_weights_file(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "damaged", id="empty file"),
        pytest.param(b"<html>not found</html>", "damaged", id="a web page"),
        pytest.param(pickle.dumps([1, 2]), "not a table", id="a list"),
        pytest.param(pickle.dumps({}), "no tensors", id="an empty table"),
        pytest.param(pickle.dumps({"a": {"b": 1}}), "not a tensor", id="a nested table"),
        pytest.param(pickle.dumps({"w": np.ones(9)})[:-30], "damaged", id="cut off"),
        pytest.param(
            pickle.dumps({"w": MakesAnArrayOfObjects()}), "array of type O8", id="objects"
        ),
    ],
)
def test_a_pdparams_file_that_holds_no_weights_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bad.pdparams"
    path.write_bytes(content)

    with pytest.raises(WeightsError, match=message):
        read_weights_file(path)


def test_damaged_absent_and_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"123456789")
    (tmp_path / "weights.pth").write_bytes(b"")

    for name, message in [
        ("cut.safetensors", "damaged"),
        ("absent.pdparams", "cannot read weights"),
        ("weights.pth", "not a weights file"),
    ]:
        with pytest.raises(WeightsError, match=message):
            read_weights_file(tmp_path / name)
