from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import paddle
import pytest

from segtune.bundle import FILES, ONNX_GRAPH, read_info
from segtune.devices import Device
from segtune.errors import BundleError, DependencyError, DeviceError, ExportError
from segtune.export import trace
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import Outputs
from segtune.preprocess import PreprocessSpec
from segtune.runtime.onnx_conversion import convert
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.sources import open_predictor
from tests.fixed_rows import FixedRows
from tests.runtime.same_rows import SIDE

OF_ONE = pytest.mark.parametrize("converted", ["PP-YOLOE_seg-S"], indirect=True)


@OF_ONE
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


@OF_ONE
def test_a_bundle_whose_onnx_graph_was_removed_still_is_one(
    converted: tuple[InstanceSegmenter, Path], tmp_path: Path
) -> None:
    _copy(converted[1], tmp_path)
    (tmp_path / ONNX_GRAPH).unlink()

    assert read_info(tmp_path) == read_info(converted[1])
    assert open_predictor(str(tmp_path)).model_name == "PP-YOLOE_seg-S"
    with pytest.raises(BundleError, match=r"no network\.onnx") as caught:
        open_predictor(str(tmp_path), runtime="onnx")
    assert "segtune export --onnx" in str(caught.value)


@OF_ONE
def test_the_onnx_runtime_runs_on_the_cpu_only(converted: tuple[InstanceSegmenter, Path]) -> None:
    with pytest.raises(DeviceError, match=r"not on gpu:0"):
        open_predictor(str(converted[1]), device=Device("gpu", 0), runtime="onnx")


@OF_ONE
def test_predicting_with_onnx_runtime_never_imports_paddle(
    converted: tuple[InstanceSegmenter, Path],
) -> None:
    program = (
        "import sys, numpy; from segtune.sources import open_predictor; "
        f"predictor = open_predictor({str(converted[1])!r}, threads=1, runtime='onnx'); "
        f"found = next(predictor.predict([numpy.zeros(({SIDE}, {SIDE}, 3), 'uint8')])); "
        "sys.exit('paddle' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("converted", ["Mask-RT-DETR-S"], indirect=True)
def test_what_is_padded_is_padded_with_zeros(
    converted: tuple[InstanceSegmenter, Path],
) -> None:
    graph = onnx.load(str(converted[1] / ONNX_GRAPH)).graph

    pads = [node for node in graph.node if node.op_type == "Pad"]

    assert [len(node.input) for node in pads] == [2]  # no value stands for 0


class Inconvertible(FixedRows):
    """Has an operator that ONNX does not know."""

    def forward(self, images: paddle.Tensor, sizes_hw: paddle.Tensor | None = None) -> Outputs:
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
