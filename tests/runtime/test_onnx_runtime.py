from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
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
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.onnx_conversion import convert
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.sources import open_predictor
from tests.boxed_rows import BoxedRows
from tests.fixed_rows import FixedRows, full_sizes
from tests.runtime.same_rows import CPU, SIDE, is_same, steady_images

OF_ONE = pytest.mark.parametrize("converted", ["PP-YOLOE_seg-S"], indirect=True)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_onnx_graph_finds_what_the_network_finds(
    converted: tuple[InstanceSegmenter, Path], batch_size: int
) -> None:
    network, folder = converted
    images = steady_images(network, batch_size)

    found = OnnxBackend(folder, threads=1).run(images, full_sizes(images))

    expected = DygraphBackend(network, CPU).run(images, full_sizes(images))
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    np.testing.assert_allclose(found.counts, expected.counts, atol=2)
    assert is_same(found, expected)


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


class Suppressed(BoxedRows):
    """Finds the same boxes after a suppression, which ONNX knows for one image only."""

    def forward(self, images: paddle.Tensor, sizes_hw: paddle.Tensor | None = None) -> Outputs:
        num_boxes = self.boxes.shape[0]
        boxes = self.boxes_of(sizes_hw)
        scores = (0.9 - 0.1 * paddle.arange(num_boxes, dtype="float32")) * paddle.eye(num_boxes)
        scores = self.shows(images).astype("float32").reshape([-1, 1, 1]) * scores
        rows, kept, counts = paddle._C_ops.multiclass_nms3(
            boxes, scores, None, 0.01, 100, 100, 0.5, True, 1.0, -1
        )
        labels, scores, *_ = paddle.unstack(rows, axis=1)
        maps = paddle.gather(self.maps, kept.flatten() % num_boxes)
        return Outputs(rows[:, 2:], scores, labels.astype("int64"), maps, counts)


@pytest.mark.parametrize("network", [BoxedRows, Suppressed])
def test_an_onnx_graph_for_images_that_are_padded_takes_any_size_and_how_much_is_image(
    network: type[BoxedRows], tmp_path: Path
) -> None:
    spec = PreprocessSpec(size_hw=(32, 48), keep_ratio=True, pad_stride=16)
    trace(network(), spec, tmp_path)
    convert(tmp_path)
    backend, reference = OnnxBackend(tmp_path, threads=1), DygraphBackend(network(), CPU)

    for input_hw, sizes_hw in (((32, 48), [[32, 48]]), ((48, 32), [[42, 32], [48, 30]])):
        images = np.ones((len(sizes_hw), 3, *input_hw), np.float32)
        sizes = np.asarray(sizes_hw, np.float32)
        found, expected = backend.run(images, sizes), reference.run(images, sizes)
        for name, array, wanted in zip(found._fields, found, expected, strict=True):
            assert len(wanted) > 0
            np.testing.assert_allclose(array, wanted, atol=1e-5, err_msg=name)


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
