from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from segtune.bundle import RAW_GRAPH, WEIGHTS
from segtune.devices import Device
from segtune.errors import BundleError, DeviceError
from segtune.export import trace
from segtune.preprocess import PreprocessSpec
from segtune.processor import default_threads
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.paddle_inference import Graph, PaddleInferenceBackend
from tests.boxed_rows import BOXES_UNIT, BoxedRows
from tests.fixed_rows import FixedRows, full_sizes

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

    found = PaddleInferenceBackend(bundle, CPU, threads=1, onednn=onednn).run(
        images, full_sizes(images)
    )

    expected = DygraphBackend(NETWORK, CPU).run(images, full_sizes(images))
    for name, array, wanted in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(array, wanted, atol=1e-6, err_msg=name)
        assert array.dtype == wanted.dtype


@pytest.fixture(scope="module")
def boxed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxed")
    trace(BoxedRows(), PreprocessSpec(size_hw=(32, 48), keep_ratio=True, pad_stride=16), folder)
    return folder


@pytest.mark.parametrize("onednn", [True, False])
def test_a_raw_graph_for_images_that_are_padded_takes_any_size_and_how_much_is_image(
    boxed_bundle: Path, onednn: bool
) -> None:
    backend = PaddleInferenceBackend(boxed_bundle, CPU, threads=1, onednn=onednn)
    reference = DygraphBackend(BoxedRows(), CPU)

    for input_hw, sizes_hw in (
        ((32, 48), [[32, 48]]),
        ((48, 32), [[42, 32], [48, 30]]),
        ((16, 48), [[9, 48]]),
    ):
        images = np.ones((len(sizes_hw), 3, *input_hw), np.float32)
        images[1:] = 0  # there, nothing is found
        sizes = np.asarray(sizes_hw, np.float32)
        found, expected = backend.run(images, sizes), reference.run(images, sizes)
        assert found.counts.tolist() == [len(BOXES_UNIT)] + [0] * (len(sizes_hw) - 1)
        for name, array, wanted in zip(found._fields, found, expected, strict=True):
            np.testing.assert_allclose(array, wanted, atol=1e-6, err_msg=name)


def test_only_graphs_for_images_that_are_padded_ask_how_much_is_image(
    bundle: Path, boxed_bundle: Path
) -> None:
    names = [
        sorted(Graph(folder / RAW_GRAPH, folder / WEIGHTS, CPU).input_names)
        for folder in (bundle, boxed_bundle)
    ]

    assert names == [["image"], ["im_shape", "image"]]


def test_an_engine_can_run_again_with_another_batch_size(bundle: Path) -> None:
    backend = PaddleInferenceBackend(bundle, CPU)

    batches = [np.zeros((n, 3, 32, 32), np.float32) for n in (2, 1)]
    counts = [backend.run(images, full_sizes(images)).counts.tolist() for images in batches]

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
    backend.run(np.zeros((1, 3, 32, 32), np.float32), np.full((1, 2), 32, np.float32))

    assert threads() == [default_threads()]
