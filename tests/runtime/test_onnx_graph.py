"""What every runtime of a bundle's ONNX graph owes: the rows of the network, for any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest

from segtune.export import trace
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import Outputs
from segtune.preprocess import PreprocessSpec
from segtune.runtime.dygraph import DygraphBackend
from segtune.runtime.onnx_conversion import convert
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.runtime.openvino_runtime import OpenVinoBackend
from tests.boxed_rows import BoxedRows
from tests.fixed_rows import full_sizes
from tests.runtime.same_rows import CPU, is_same, steady_images

Runtime = type[OnnxBackend] | type[OpenVinoBackend]
EACH_RUNTIME = pytest.mark.parametrize("runtime", [OnnxBackend, OpenVinoBackend])


@EACH_RUNTIME
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_runtime_finds_what_the_network_finds(
    converted: tuple[InstanceSegmenter, Path], runtime: Runtime, batch_size: int
) -> None:
    network, folder = converted
    images = steady_images(network, batch_size)

    found = runtime(folder, threads=1).run(images, full_sizes(images))

    expected = DygraphBackend(network, CPU).run(images, full_sizes(images))
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    np.testing.assert_allclose(found.counts, expected.counts, atol=2)
    assert is_same(found, expected)


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


@EACH_RUNTIME
@pytest.mark.parametrize("network", [BoxedRows, Suppressed])
def test_images_that_are_padded_may_have_any_size_and_fill_any_part_of_it(
    network: type[BoxedRows], runtime: Runtime, tmp_path: Path
) -> None:
    spec = PreprocessSpec(size_hw=(32, 48), keep_ratio=True, pad_stride=16)
    trace(network(), spec, tmp_path)
    convert(tmp_path)
    backend, reference = runtime(tmp_path, threads=1), DygraphBackend(network(), CPU)

    for input_hw, sizes_hw in (((32, 48), [[32, 48]]), ((48, 32), [[42, 32], [48, 30]])):
        images = np.ones((len(sizes_hw), 3, *input_hw), np.float32)
        sizes = np.asarray(sizes_hw, np.float32)
        found, expected = backend.run(images, sizes), reference.run(images, sizes)
        for name, array, wanted in zip(found._fields, found, expected, strict=True):
            assert len(wanted) > 0
            np.testing.assert_allclose(array, wanted, atol=1e-5, err_msg=name)
