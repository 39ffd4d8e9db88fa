from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from segtune.bundle import RAW_GRAPH
from segtune.devices import Device
from segtune.errors import BundleError, DeviceError
from segtune.export import trace
from segtune.preprocess import PreprocessSpec
from segtune.processor import default_threads
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.paddle_inference import PaddleInferenceBackend
from tests.fixed_rows import FixedRows

CPU = Device("cpu")
NETWORK = FixedRows([[1, 2, 30, 31], [0.5, 0.25, 8, 8]], [[4, 4, 20, 20]])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    trace(NETWORK, PreprocessSpec(size_hw=(32, 32)), folder)
    return folder


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_raw_graph_returns_what_the_network_returns(
    bundle: Path, batch_size: int, onednn: bool
) -> None:
    images = np.random.default_rng(0).random((batch_size, 3, 32, 32)).astype(np.float32)

    found = PaddleInferenceBackend(bundle, CPU, threads=1, onednn=onednn).run(images)

    expected = DygraphBackend(NETWORK, CPU).run(images)
    for name, array, wanted in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(array, wanted, atol=1e-6, err_msg=name)
        assert array.dtype == wanted.dtype


def test_an_engine_can_run_again_with_another_batch_size(bundle: Path) -> None:
    backend = PaddleInferenceBackend(bundle, CPU)

    counts = [backend.run(np.zeros((n, 3, 32, 32), np.float32)).counts.tolist() for n in (2, 1)]

    assert counts == [[2, 1], [2]]


def test_an_absent_device_is_an_error_that_names_those_present(bundle: Path) -> None:
    with pytest.raises(DeviceError, match="cpu"):
        PaddleInferenceBackend(bundle, Device("npu", 7))


def test_a_damaged_graph_is_an_error(bundle: Path, tmp_path: Path) -> None:
    for file in bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / RAW_GRAPH).write_text('{"cut')

    with pytest.raises(BundleError, match="cannot load the graph"):
        PaddleInferenceBackend(tmp_path, CPU)


def test_what_comes_after_a_run_has_all_its_threads(bundle: Path) -> None:
    def threads() -> list[int]:
        pools = threadpoolctl.threadpool_info()
        return [pool["num_threads"] for pool in pools if "iomp" in pool["filepath"]]

    backend = PaddleInferenceBackend(bundle, CPU)
    backend.run(np.zeros((1, 3, 32, 32), np.float32))

    assert threads() == [default_threads()]
