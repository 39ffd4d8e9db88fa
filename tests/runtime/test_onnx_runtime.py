from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from segtune.bundle import FILES, ONNX_GRAPH, BundleInfo, read_info, write_info
from segtune.categories import Categories
from segtune.devices import Device
from segtune.errors import BundleError, DependencyError, DeviceError, ExportError
from segtune.export import trace
from segtune.models.segmenter import InstanceSegmenter
from segtune.postprocess import split_rows
from segtune.preprocess import PreprocessSpec
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.onnx_conversion import convert
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.sources import open_predictor
from segtune.zoo import build_model
from tests.fixed_rows import FixedRows
from tests.parity.stored import give_stored_weights

CPU = Device("cpu")
SIDE = 64
COMPARED_ROWS = 40  # of each image, the best; the last ones may be others, for a bit of score
GAINS = {"Mask-RT-DETR-S": 0.8, "PP-YOLOE_seg-S": 0.9}


@pytest.fixture(scope="module", params=GAINS)
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[InstanceSegmenter, Path]:
    """A network and its bundle, which has an ONNX graph."""
    network = build_model(request.param, 3)
    give_stored_weights(network, GAINS[request.param])
    network.eval()
    folder = tmp_path_factory.mktemp("bundle")
    spec = PreprocessSpec(size_hw=(SIDE, SIDE))
    trace(network, spec, folder)
    convert(folder)
    write_info(folder, BundleInfo(request.param, Categories([(1, "a"), (2, "b"), (3, "c")]), spec))
    return network, folder


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_onnx_graph_finds_what_the_network_finds(
    converted: tuple[InstanceSegmenter, Path], batch_size: int
) -> None:
    network, folder = converted
    images = np.random.default_rng(0).random((batch_size, 3, SIDE, SIDE)).astype(np.float32)

    found = OnnxBackend(folder, threads=1).run(images)

    expected = DygraphBackend(network, CPU).run(images)
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    assert found.counts.tolist() == expected.counts.tolist()
    for ours, wanted in zip(split_rows(found), split_rows(expected), strict=True):
        assert len(wanted.scores) > 10
        for row in range(min(len(wanted.scores), COMPARED_ROWS)):
            # Rows whose scores are equal but for the last bit may change places.
            box_px = np.abs(ours.boxes - wanted.boxes[row]).max(axis=1)
            nearest = int(np.argmin(box_px + (ours.labels != wanted.labels[row]) * SIDE))
            assert box_px[nearest] < 0.01
            assert ours.labels[nearest] == wanted.labels[row]
            assert abs(ours.scores[nearest] - wanted.scores[row]) < 1e-5
            logits = wanted.mask_logits[row]
            np.testing.assert_allclose(ours.mask_logits[nearest], logits, rtol=0, atol=1e-4)


def test_an_onnx_graph_that_was_cut_short_is_named_with_both_sizes(
    converted: tuple[InstanceSegmenter, Path], tmp_path: Path
) -> None:
    _copy(converted[1], tmp_path)
    whole = (tmp_path / ONNX_GRAPH).read_bytes()
    (tmp_path / ONNX_GRAPH).write_bytes(whole[:-1])

    with pytest.raises(BundleError, match=f"{len(whole) - 1} bytes instead of {len(whole)}"):
        read_info(tmp_path)
    with pytest.raises(BundleError, match="cannot load the graph"):
        OnnxBackend(tmp_path)


def test_a_bundle_whose_onnx_graph_was_removed_still_is_one(
    converted: tuple[InstanceSegmenter, Path], tmp_path: Path
) -> None:
    _copy(converted[1], tmp_path)
    (tmp_path / ONNX_GRAPH).unlink()

    assert read_info(tmp_path) == read_info(converted[1])
    assert open_predictor(str(tmp_path)).model_name in GAINS
    with pytest.raises(BundleError, match=r"no network\.onnx") as caught:
        open_predictor(str(tmp_path), engine="onnx")
    assert "segtune export --onnx" in str(caught.value)


def test_the_onnx_engine_runs_on_the_cpu_only(converted: tuple[InstanceSegmenter, Path]) -> None:
    with pytest.raises(DeviceError, match=r"not on gpu:0"):
        open_predictor(str(converted[1]), device=Device("gpu", 0), engine="onnx")


def test_predicting_with_the_onnx_engine_never_imports_paddle(
    converted: tuple[InstanceSegmenter, Path],
) -> None:
    program = (
        "import sys, numpy; from segtune.sources import open_predictor; "
        f"predictor = open_predictor({str(converted[1])!r}, threads=1, engine='onnx'); "
        f"found = next(predictor.predict([numpy.zeros(({SIDE}, {SIDE}, 3), 'uint8')])); "
        "sys.exit('paddle' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class Inconvertible(FixedRows):
    """Has an operator that ONNX does not know."""

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        outputs = super().forward(images)
        return outputs._replace(scores=outputs.scores + 0 * paddle.lgamma(outputs.scores))


def test_a_network_that_cannot_be_converted_is_an_error_that_gives_the_reason(
    tmp_path: Path,
) -> None:
    trace(Inconvertible([[1, 2, 30, 31]]), PreprocessSpec(size_hw=(32, 32)), tmp_path)

    with pytest.raises(ExportError, match=r"cannot convert the network: .* unsupported operators"):
        convert(tmp_path)


@pytest.mark.parametrize("package", ["paddle2onnx", "onnx", "onnxruntime"])
def test_an_absent_package_is_an_error_that_says_how_to_install_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(DependencyError, match="is not installed") as caught:
        convert(tmp_path)

    assert "pip install 'segtune[onnx]'" in str(caught.value)


def _copy(bundle: Path, folder: Path) -> None:
    for name in (*FILES, ONNX_GRAPH):
        (folder / name).write_bytes((bundle / name).read_bytes())
