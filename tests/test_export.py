from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray
from paddle import Tensor
from typer.testing import CliRunner

from segtune.agreement import AFTER_MASK_BOXES, STRICT, AgreementReport, Limits, merge
from segtune.bundle import FILES, ONNX_GRAPH, PADDLEX_GRAPH, WEIGHTS, BundleInfo, read_info
from segtune.categories import Categories
from segtune.cli.app import app
from segtune.devices import Device
from segtune.errors import DependencyError, ExportError, OutputError
from segtune.export import _judged, as_upstream, export_network, trace
from segtune.images import write_image
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.preprocess import Geometry, PreprocessSpec
from segtune.progress import SilentReporter
from segtune.runtime.onnx_runtime import OnnxBackend
from segtune.runtime.paddle_inference import Graph
from segtune.zoo import build_model
from tests.boxed_rows import SHOWN, BoxedRows
from tests.fixed_rows import FixedRows
from tests.parity.stored import give_stored_weights

CPU = Device("cpu")
SPEC = PreprocessSpec(size_hw=(128, 128))
SMALL = PreprocessSpec(size_hw=(32, 32))


def info_of(spec: PreprocessSpec) -> BundleInfo:
    categories = Categories([(1, "cup"), (2, "pen"), (3, "key")])
    return BundleInfo("PP-YOLOE_seg-S", categories, spec)


def real_network() -> InstanceSegmenter:
    network = build_model("PP-YOLOE_seg-S", 3)
    give_stored_weights(network, gain=0.9)
    network.eval()
    return network


def silent_network() -> InstanceSegmenter:
    """The real network, so unsure of everything that it finds nothing."""
    network = real_network()
    for predictor in network.yolo_head.pred_cls:
        predictor.bias.set_value(paddle.full([3], -50.0))
    return network


class Listener(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def clouds(size_hw: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """A smooth random picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    spec = PreprocessSpec(size_hw=size_hw)
    return spec.resize(coarse)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / "wide.png", folder / "high.png"]
    for seed, (path, size_hw) in enumerate(zip(paths, [(90, 160), (150, 100)], strict=True)):
        write_image(path, clouds(size_hw, seed))
    return paths


def run_upstream(
    network: InstanceSegmenter, input_hw: tuple[int, int], originals_hw: list[tuple[int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Run PaddleX's form on random inputs that stand for images of the given sizes."""
    random = np.random.default_rng(0)
    images = random.random((len(originals_hw), 3, *input_hw)).astype(np.float32)
    im_shape = np.asarray([input_hw] * len(originals_hw), np.float32)
    scales = im_shape / np.asarray(originals_hw, np.float32)
    layer = as_upstream(network)
    layer.eval()
    with paddle.no_grad():
        bbox, bbox_num, mask = layer(*(paddle.to_tensor(a) for a in (images, im_shape, scales)))
    return bbox.numpy(), bbox_num.numpy(), mask.numpy()


def test_a_bundle_of_the_real_network_agrees_with_it(tmp_path: Path, pictures: list[Path]) -> None:
    network = real_network()

    report = export_network(
        network, info_of(SPEC), tmp_path / "bundle", images=pictures, device=CPU
    )

    assert report.agrees
    assert report.images == 2
    assert report.instances > 10
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == sorted(FILES)
    assert read_info(tmp_path / "bundle").mask_frame is MaskFrame.INPUT


@pytest.fixture(scope="module")
def silent_bundle(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Path:
    """A bundle of a network that finds nothing; that it can be exported is half of the test."""
    folder = tmp_path_factory.mktemp("silent") / "bundle"
    listener = Listener()
    report = export_network(
        silent_network(), info_of(SMALL), folder, images=pictures, device=CPU, reporter=listener
    )
    assert report.agrees
    assert report.instances == 0
    assert ["no mask was compared" in line for line in listener.said] == [True]
    return folder


@pytest.mark.parametrize("onednn", [True, False])
def test_no_rows_keep_their_shapes_in_the_graph(silent_bundle: Path, onednn: bool) -> None:
    graph = Graph(silent_bundle / PADDLEX_GRAPH, silent_bundle / WEIGHTS, CPU, onednn=onednn)

    bbox, bbox_num, mask = graph.run(
        {
            "image": np.zeros((1, 3, 32, 32), np.float32),
            "im_shape": np.full((1, 2), 32, np.float32),
            "scale_factor": np.asarray([[32 / 20, 32 / 50]], np.float32),
        }
    )

    assert bbox.shape == (0, 6)
    assert bbox_num.tolist() == [0]
    assert mask.shape == (0, 20, 50)


def test_outputs_have_the_upstream_types_and_original_pixels() -> None:
    bbox, bbox_num, mask = run_upstream(FixedRows([[8, 4, 24, 12]]), (32, 32), [(64, 16)])

    np.testing.assert_allclose(bbox, [[0, 0.9, 4, 8, 12, 24]], rtol=1e-6)
    assert (bbox.dtype, bbox_num.dtype, mask.dtype) == (np.float32, np.int32, np.float32)
    assert bbox_num.tolist() == [1]
    expected = np.zeros((1, 64, 16), np.float32)
    expected[0, 8:24, 4:8] = 1  # the left half of the map, cut at the box
    np.testing.assert_array_equal(mask, expected)


def test_masks_of_unlike_images_share_a_canvas_from_the_top_left() -> None:
    whole = [[0, 0, 32, 32]]

    bbox, bbox_num, mask = run_upstream(FixedRows(whole, whole), (32, 32), [(10, 40), (30, 20)])

    assert bbox_num.tolist() == [1, 1]
    assert bbox[:, 0].tolist() == [0, 1]
    expected = np.zeros((2, 30, 40), np.float32)
    expected[0, :10, :20] = 1
    expected[1, :30, 10:20] = 1
    np.testing.assert_array_equal(mask, expected)


def test_rows_without_area_in_the_image_are_left_out_with_their_masks() -> None:
    first = [[0, 0, 32, 32], [-9, 0, -1, 32], [4, 40, 9, 50], [-8, 0, 40, 16]]
    second = [[5, 5, 5, 9], [0, 0, 32, 16]]

    bbox, bbox_num, mask = run_upstream(FixedRows(first, second), (32, 32), [(32, 32)] * 2)

    assert bbox_num.tolist() == [2, 1]
    np.testing.assert_allclose(bbox[:, 1], [0.9, 0.87, 0.85], rtol=1e-6)
    np.testing.assert_array_equal(bbox[1, 2:], [-8, 0, 40, 16])  # not clipped, as upstream's
    left, right = [1] * 16 + [0] * 16, [0] * 16 + [1] * 16
    np.testing.assert_array_equal(mask[:, 0], [left, right, right])


def test_an_image_without_rows_beside_one_with_rows() -> None:
    bbox, bbox_num, mask = run_upstream(FixedRows([], [[0, 0, 32, 32]]), (32, 32), [(8, 8)] * 2)

    assert bbox_num.tolist() == [0, 1]
    assert bbox[:, 0].tolist() == [1]
    assert mask.shape == (1, 8, 8)


def test_the_upstream_form_equals_our_own_postprocess() -> None:
    network = real_network()
    originals = [(90, 160), (200, 77)]
    bbox, bbox_num, mask = run_upstream(network, (128, 128), originals)
    images = np.random.default_rng(0).random((2, 3, 128, 128)).astype(np.float32)
    with paddle.no_grad():
        raw = Outputs(*(tensor.numpy() for tensor in network(paddle.to_tensor(images))))

    ends = np.cumsum(bbox_num)
    for rows, size_hw, start, end in zip(
        split_rows(raw), originals, ends - bbox_num, ends, strict=True
    ):
        geometry = Geometry(size_hw, (128, 128), (128, 128))
        ours = instances_of(rows, geometry, mask_frame=MaskFrame.INPUT)
        order = np.argsort(-bbox[start:end, 1], kind="stable")
        height, width = size_hw
        theirs = bbox[start:end][order]
        limits = [width, height, width, height]
        np.testing.assert_allclose(ours.boxes, theirs[:, 2:].clip(0, limits), atol=1e-4)
        differing = (ours.masks != mask[start:end][order][:, :height, :width]).mean()
        assert differing < 1e-5  # probabilities of exactly one half may fall either way


class FickleRows(FixedRows):
    """Returns other boxes when it is traced than when it runs."""

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        outputs = super().forward(images)
        if paddle.in_dynamic_mode():
            return outputs
        return outputs._replace(boxes=outputs.boxes + 0.05)


def test_a_bundle_that_disagrees_is_an_error_and_leaves_nothing(
    tmp_path: Path, pictures: list[Path]
) -> None:
    network = FickleRows([[4, 4, 20, 20]])

    with pytest.raises(ExportError, match="does not agree"):
        export_network(network, info_of(SMALL), tmp_path / "out", images=pictures, device=CPU)

    assert list(tmp_path.iterdir()) == []


def test_a_fixed_network_agrees_with_its_bundle(tmp_path: Path, pictures: list[Path]) -> None:
    network, listener = FixedRows([[4, 4, 20, 20], [-3, 2, 9, 50]]), Listener()

    report = export_network(
        network,
        info_of(SMALL),
        tmp_path / "out",
        images=pictures,
        device=CPU,
        reporter=listener,
    )

    assert report.instances == 4
    assert report.worst_box_px < 1e-4
    assert listener.said == []


def test_a_bundle_for_padded_images_with_masks_inside_boxes_agrees_with_its_network(
    tmp_path: Path, pictures: list[Path]
) -> None:
    spec = PreprocessSpec(size_hw=(64, 96), keep_ratio=True, pad_stride=32)

    report = export_network(
        BoxedRows(), info_of(spec), tmp_path / "out", images=pictures, device=CPU, onnx=True
    )

    assert report.agrees
    assert report.instances == 2 * len(SHOWN)
    assert read_info(tmp_path / "out").mask_frame is MaskFrame.BOX


def test_pictures_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no picture"):
        export_network(FixedRows([]), info_of(SMALL), tmp_path / "out", images=[], device=CPU)


def test_weights_that_the_disk_takes_only_in_part_are_refused(
    tmp_path: Path, pictures: list[Path]
) -> None:
    network = real_network()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # graphs fit, weights do not
    try:
        with pytest.raises(OutputError, match="only 1000000 bytes"):
            export_network(network, info_of(SMALL), tmp_path / "out", images=pictures, device=CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(tmp_path.iterdir()) == []


def test_what_only_training_needs_is_not_missed_in_a_bundle(tmp_path: Path) -> None:
    network = build_model("Mask-RT-DETR-S", 80)  # its denoising classes are 83 kB of weights
    assert network.only_for_training <= set(network.state_dict())

    trace(network, PreprocessSpec(size_hw=(64, 64)), tmp_path)

    size_bytes = (tmp_path / WEIGHTS).stat().st_size
    assert size_bytes < sum(4 * parameter.size for parameter in network.parameters())


def test_an_existing_folder_is_never_written_into(tmp_path: Path, pictures: list[Path]) -> None:
    (tmp_path / "kept.txt").write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        export_network(FixedRows([]), info_of(SMALL), tmp_path, images=pictures, device=CPU)

    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.fixture(scope="module")
def onnx_bundle(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Path:
    """A bundle of the real network with an ONNX graph."""
    folder = tmp_path_factory.mktemp("onnx") / "bundle"
    report = export_network(
        real_network(), info_of(SPEC), folder, images=pictures, device=CPU, onnx=True
    )
    assert report.agrees
    assert report.instances > 10
    return folder


def test_a_bundle_with_an_onnx_graph_knows_its_size(onnx_bundle: Path) -> None:
    files = sorted(path.name for path in onnx_bundle.iterdir())

    assert files == sorted((*FILES, ONNX_GRAPH))
    sizes = json.loads((onnx_bundle / "segtune.json").read_text())["sizes_bytes"]
    assert sizes[ONNX_GRAPH] == (onnx_bundle / ONNX_GRAPH).stat().st_size
    assert read_info(onnx_bundle).model_name == "PP-YOLOE_seg-S"


@pytest.mark.parametrize("runtime", ["paddle", "onnx"])
def test_the_command_line_predicts_with_either_runtime(
    onnx_bundle: Path, pictures: list[Path], tmp_path: Path, runtime: str
) -> None:
    line = ["predict", *map(str, pictures), "-m", str(onnx_bundle), "--runtime", runtime]
    options = ["--threshold", "0.4", "--format", "json", "--save-path", str(tmp_path), "--json"]

    done = CliRunner().invoke(app, [*line, "--batch-size", "2", *options])

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["num_images"] == 2
    assert found["num_instances"] > 10


def test_a_bundle_without_an_onnx_graph_says_how_to_get_one(
    silent_bundle: Path, pictures: list[Path], tmp_path: Path
) -> None:
    line = ["predict", str(pictures[0]), "-m", str(silent_bundle), "--runtime", "onnx"]

    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*line, "--save-path", str(tmp_path)])

    assert done.exit_code == 2
    assert "the bundle has no network.onnx" in done.stderr
    assert "segtune export --onnx" in done.stderr


@pytest.mark.parametrize(("flags", "expected"), [([], False), (["--onnx"], True)])
def test_the_command_line_passes_on_whether_onnx_is_wanted(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch, flags: list[str], expected: bool
) -> None:
    asked = []

    def export_reference(*_: Any, onnx: bool, **__: Any) -> AgreementReport:
        asked.append(onnx)
        return AgreementReport(1, 1)

    monkeypatch.setattr("segtune.sources.export_reference", export_reference)

    done = CliRunner().invoke(app, ["export", "run", "out", "--images", str(pictures[0]), *flags])

    assert done.exit_code == 0, done.output
    assert asked == [expected]


def test_an_onnx_graph_that_finds_nothing_agrees_with_a_network_that_finds_nothing(
    tmp_path: Path, pictures: list[Path]
) -> None:
    info = info_of(PreprocessSpec(size_hw=(64, 64)))

    report = export_network(
        silent_network(), info, tmp_path / "out", images=pictures, device=CPU, onnx=True
    )

    assert report.agrees
    assert report.instances == 0


class Shifted(OnnxBackend):
    """Runs the ONNX graph, and moves its boxes."""

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        outputs = super().run(images, sizes_hw)
        return outputs._replace(boxes=outputs.boxes + 0.05)


def test_an_onnx_graph_that_disagrees_is_an_error_and_leaves_nothing(
    tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segtune.export.OnnxBackend", Shifted)
    network = real_network()

    with pytest.raises(ExportError, match="does not agree"):
        export_network(
            network, info_of(SPEC), tmp_path / "out", images=pictures, device=CPU, onnx=True
        )

    assert list(tmp_path.iterdir()) == []


def test_a_network_that_onnx_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, pictures: list[Path]
) -> None:
    network = FixedRows([[4, 4, 20, 20]])  # takes a part of a list, up to the number of images

    with pytest.raises(ExportError, match="paddle2onnx cannot convert the network: Can not get"):
        export_network(
            network, info_of(SMALL), tmp_path / "out", images=pictures, device=CPU, onnx=True
        )

    assert list(tmp_path.iterdir()) == []


def test_onnx_without_its_packages_is_refused_before_anything_is_written(
    tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "paddle2onnx", None)

    with pytest.raises(DependencyError, match="paddle2onnx is not installed"):
        export_network(
            FixedRows([]), info_of(SMALL), tmp_path / "out", images=pictures, device=CPU, onnx=True
        )

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "num_turned", "counted"),
    [
        pytest.param(AFTER_MASK_BOXES, 1, 2, id="one of three is set aside"),
        pytest.param(AFTER_MASK_BOXES, 2, 3, id="more than half are not"),
        pytest.param(STRICT, 1, 3, id="never where no box is taken around a mask"),
    ],
)
def test_pictures_that_rounding_has_turned_are_set_aside_while_most_agree(
    limits: Limits, num_turned: int, counted: int
) -> None:
    turned = [AgreementReport(1, 9, worst_box_px=5.0)] * num_turned
    reports = [*turned, *[AgreementReport(1, 9)] * (3 - num_turned)]

    judged = _judged(reports, limits, SilentReporter())

    assert len(judged) == counted
    assert merge(judged).is_within(limits) == (counted == 2)
