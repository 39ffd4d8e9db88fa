from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segtune.bundle import FILES, ONNX_GRAPH
from segtune.errors import BundleError, DependencyError, DeviceError
from segtune.models.segmenter import InstanceSegmenter
from segtune.runtime.openvino_runtime import OpenVinoBackend, import_openvino
from tests.fixed_rows import full_sizes
from tests.runtime.same_rows import SIDE, steady_images

OF_ONE = pytest.mark.parametrize("converted", ["PP-YOLOE_seg-S"], indirect=True)


@OF_ONE
def test_outputs_of_one_run_outlive_the_next_run(
    converted: tuple[InstanceSegmenter, Path],
) -> None:
    backend = OpenVinoBackend(converted[1], threads=1)
    images = np.random.default_rng(0).random((2, 1, 3, SIDE, SIDE)).astype(np.float32)

    first = backend.run(images[0], full_sizes(images[0]))
    before = [array.copy() for array in first]
    backend.run(images[1], full_sizes(images[1]))

    for array, wanted in zip(first, before, strict=True):
        np.testing.assert_array_equal(array, wanted)


@OF_ONE
def test_bfloat16_is_less_exact_and_refused_where_the_processor_has_none(
    converted: tuple[InstanceSegmenter, Path],
) -> None:
    network, folder = converted
    images = steady_images(network, 1)
    if "BF16" not in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(DeviceError, match="does not compute in bfloat16"):
            OpenVinoBackend(folder, precision="bf16")
        return

    exact, rounded = (
        OpenVinoBackend(folder, threads=1, precision=precision).run(images, full_sizes(images))
        for precision in ("fp32", "bf16")
    )

    difference = abs(exact.scores.max() - rounded.scores.max())
    assert 1e-7 < difference < 0.05


@OF_ONE
def test_a_processor_without_bfloat16_is_an_error_that_names_it(
    converted: tuple[InstanceSegmenter, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(import_openvino(), "Core", Core)

    with pytest.raises(DeviceError, match="does not compute in bfloat16") as caught:
        OpenVinoBackend(converted[1], precision="bf16")

    assert "--precision fp32" in str(caught.value)


@OF_ONE
def test_a_graph_that_was_cut_short_is_an_error(
    converted: tuple[InstanceSegmenter, Path], tmp_path: Path
) -> None:
    for name in (*FILES, ONNX_GRAPH):
        (tmp_path / name).write_bytes((converted[1] / name).read_bytes())
    (tmp_path / ONNX_GRAPH).write_bytes((tmp_path / ONNX_GRAPH).read_bytes()[:-1])

    with pytest.raises(BundleError, match="OpenVINO cannot load the graph"):
        OpenVinoBackend(tmp_path)


def test_a_bundle_without_a_graph_for_openvino_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no network\.onnx") as caught:
        OpenVinoBackend(tmp_path)

    assert "segtune export --onnx" in str(caught.value)


def test_openvino_absent_is_an_error_that_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(DependencyError, match="OpenVINO is not installed") as caught:
        OpenVinoBackend(tmp_path)

    assert "pip install 'segtune[openvino]'" in str(caught.value)


def test_openvino_is_imported_without_what_reports_its_use_to_its_makers() -> None:
    program = (
        "import sys; from segtune.runtime.openvino_runtime import import_openvino; "
        "import_openvino(); sys.exit('openvino_telemetry' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
