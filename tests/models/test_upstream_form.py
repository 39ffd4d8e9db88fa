from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from numpy.typing import NDArray
from paddle import Tensor

from segtune.bundle import PADDLEX_GRAPH, WEIGHTS
from segtune.devices import Device
from segtune.export import trace
from segtune.models.upstream_form import UpstreamForm
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.preprocess import Geometry, PreprocessSpec
from segtune.runtime.paddle_inference import Graph
from tests.boxed_rows import SHOWN, BoxedRows
from tests.fixed_rows import FixedRows

INPUT_HW = (64, 96)
MAP_HW = (16, 24)
ROWS_OF_IMAGES = (3, 2)


class UncutMasks(FixedRows):
    """Finds the rows of its parent with smooth random masks, which go on outside the boxes."""

    mask_frame = MaskFrame.INPUT_UNCUT

    def __init__(self, *boxes_of_images: list[list[float]]) -> None:
        super().__init__(*boxes_of_images)
        random = np.random.default_rng(0)
        coarse = random.standard_normal((sum(self.counts), 1, 4, 5)).astype(np.float32)
        smooth = F.interpolate(paddle.to_tensor(coarse), MAP_HW, mode="bicubic")[:, 0].numpy()
        smooth[1:2] = -1  # an empty mask
        self.logits = self.create_parameter([sum(self.counts), *MAP_HW])
        self.logits.set_value(smooth)

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        outputs = super().forward(images)
        return outputs._replace(mask_logits=self.logits[: outputs.scores.shape[0]])


def upstream(
    network: FixedRows, originals_hw: list[tuple[int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    sizes = np.asarray(originals_hw, np.float32)
    im_shape = np.asarray([INPUT_HW] * len(sizes), np.float32)
    images = paddle.zeros([len(sizes), 3, *INPUT_HW])
    form = UpstreamForm(network)
    form.eval()
    with paddle.no_grad():
        found = form(images, paddle.to_tensor(im_shape), paddle.to_tensor(im_shape / sizes))
    bbox, counts, masks = (tensor.numpy() for tensor in found)
    return bbox, counts, masks


@pytest.fixture
def network() -> UncutMasks:
    inside = [10.0, 10, 20, 20]
    return UncutMasks(*([inside] * number for number in ROWS_OF_IMAGES))


ORIGINALS = [
    pytest.param([(100, 70), (50, 120)], id="upscaled, of unlike size"),
    pytest.param([(9, 13), (16, 24)], id="downscaled and as it is"),
    pytest.param([(300, 5), (5, 300)], id="narrow"),
]


@pytest.mark.parametrize("originals_hw", ORIGINALS)
def test_masks_begin_in_the_top_left_corner_of_a_canvas_for_all_images(
    network: UncutMasks, originals_hw: list[tuple[int, int]]
) -> None:
    _, counts, masks = upstream(network, originals_hw)

    canvas_hw = tuple(np.max(originals_hw, axis=0))
    assert counts.tolist() == list(ROWS_OF_IMAGES)
    assert masks.shape == (sum(ROWS_OF_IMAGES), *canvas_hw)
    image_of_row = np.repeat([0, 1], ROWS_OF_IMAGES)
    for mask, logits, image in zip(masks, network.logits, image_of_row, strict=True):
        height, width = originals_hw[image]
        enlarged = F.interpolate(logits[None, None], [height, width], mode="bilinear")
        values = enlarged[0, 0].numpy()
        clear = np.abs(values) > 1e-4
        np.testing.assert_array_equal(mask[:height, :width][clear], (values > 0)[clear])
        assert not mask[height:].any()
        assert not mask[:, width:].any()
        assert clear.mean() > 0.99


@pytest.mark.parametrize("originals_hw", ORIGINALS)
def test_masks_are_those_of_the_post_process(
    network: UncutMasks, originals_hw: list[tuple[int, int]]
) -> None:
    _, _, masks = upstream(network, originals_hw)
    outputs = Outputs(*(field.numpy() for field in network(paddle.zeros([2, 3, *INPUT_HW]))))

    start = 0
    for rows, size_hw in zip(split_rows(outputs), originals_hw, strict=True):
        own = instances_of(
            rows, Geometry(size_hw, INPUT_HW, INPUT_HW), mask_frame=MaskFrame.INPUT_UNCUT
        ).masks
        traced = masks[start : start + len(own), : size_hw[0], : size_hw[1]]
        assert (own != traced).sum() <= 1  # rounding, where a logit is zero
        start += len(own)
    assert start == sum(ROWS_OF_IMAGES)


def test_rows_outside_the_image_take_their_masks_with_them() -> None:
    inside, outside = [10.0, 10, 20, 20], [-9.0, 0, -1, 8]
    network = UncutMasks([inside, outside], [outside, inside])
    originals_hw = [(32, 48), (32, 48)]

    bbox, counts, masks = upstream(network, originals_hw)

    _, _, all_masks = upstream(UncutMasks([inside] * 2, [inside] * 2), originals_hw)
    assert counts.tolist() == [1, 1]
    np.testing.assert_allclose(bbox[:, 2:], [[5, 5, 10, 10]] * 2)
    np.testing.assert_array_equal(masks, all_masks[[0, 3]])


def test_nothing_found_gives_no_masks() -> None:
    bbox, counts, masks = upstream(UncutMasks([[-9.0, 0, -1, 8]], []), [(20, 30), (10, 40)])

    assert bbox.shape == (0, 6)
    assert counts.tolist() == [0, 0]
    assert masks.shape == (0, 20, 40)


PADDED = PreprocessSpec(size_hw=(64, 96), keep_ratio=True, pad_stride=32)
Picture = tuple[int, int, bool]  # height, width, whether it is black
PICTURES: dict[str, list[Picture]] = {
    "one": [(100, 70, False)],
    "a black one": [(50, 120, True)],
    "two, of unlike size": [(100, 70, False), (50, 120, False)],
    "a black one first": [(31, 300, True), (500, 300, False)],
    "a black one last": [(31, 300, False), (16, 16, True)],
    "black ones only": [(9, 13, True), (16, 24, True)],
}


def feed(pictures: list[Picture]) -> tuple[dict[str, NDArray[np.float32]], list[Geometry]]:
    """Inputs of PaddleX's form for grey and black pictures, and how these lie on them."""
    prepared = [
        PADDED.apply(np.full((height, width, 3), 0 if is_black else 200, np.uint8))
        for height, width, is_black in pictures
    ]
    images = np.zeros((len(pictures), 3, 96, 96), np.float32)
    for image, (array, _) in zip(images, prepared, strict=True):
        image[:, : array.shape[1], : array.shape[2]] = array
    geometries = [geometry for _, geometry in prepared]
    inputs = {
        "image": images,
        "im_shape": np.asarray([each.resized_hw for each in geometries], np.float32),
        "scale_factor": np.asarray([each.scale_hw for each in geometries], np.float32),
    }
    return inputs, geometries


def run_eagerly(
    network: BoxedRows, inputs: dict[str, NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """`bbox`, `bbox_num` and `mask`."""
    form = UpstreamForm(network)
    form.eval()
    with paddle.no_grad():
        return [tensor.numpy() for tensor in form(*map(paddle.to_tensor, inputs.values()))]


@pytest.mark.parametrize("pictures", PICTURES.values(), ids=PICTURES)
def test_boxed_masks_and_their_boxes_are_those_of_the_post_process(pictures: list[Picture]) -> None:
    network = BoxedRows()
    inputs, geometries = feed(pictures)

    bbox, counts, masks = run_eagerly(network, inputs)

    raw = network(paddle.to_tensor(inputs["image"]), paddle.to_tensor(inputs["im_shape"]))
    ends = np.cumsum(counts)
    assert counts.tolist() == [0 if is_black else len(SHOWN) for *_, is_black in pictures]
    assert masks.shape == (ends[-1], *np.max([each.original_hw for each in geometries], axis=0))
    images = zip(split_rows(Outputs(*(field.numpy() for field in raw))), geometries, strict=True)
    for number, (rows, geometry) in enumerate(images):
        own = instances_of(rows, geometry, mask_frame=MaskFrame.BOX)
        part = slice(ends[number] - counts[number], ends[number])
        np.testing.assert_array_equal(bbox[part, 2:], own.boxes)
        np.testing.assert_array_equal(bbox[part, 0], own.labels)
        height, width = geometry.original_hw
        np.testing.assert_array_equal(masks[part, :height, :width], own.masks)
        assert masks[part].sum() == own.masks.sum()  # nothing right of the image or below it


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs of a network with boxed masks, for inputs of any size."""
    folder = tmp_path_factory.mktemp("bundle")
    trace(BoxedRows(), PADDED, folder)
    return folder


@pytest.mark.parametrize("onednn", [True, False])
def test_the_traced_graph_finds_what_the_network_finds_on_all_pictures(
    bundle: Path, onednn: bool
) -> None:
    graph = Graph(bundle / PADDLEX_GRAPH, bundle / WEIGHTS, Device("cpu"), onednn=onednn)

    for name, pictures in PICTURES.items():
        inputs, _ = feed(pictures)
        expected = run_eagerly(BoxedRows(), inputs)
        for found, wanted in zip(graph.run(inputs), expected, strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=name)
            assert found.dtype == wanted.dtype


def test_pixels_of_one_half_belong_to_a_boxed_mask() -> None:
    network = BoxedRows([[0.0, 0, 1, 1], [-1, 0, 0.5, 1]], [[[0, -9], [-10, 9]], [[0, 0], [0, 0]]])
    inputs = {
        "image": np.ones((1, 3, 8, 8), np.float32),
        "im_shape": np.full((1, 2), 8, np.float32),
        "scale_factor": np.full((1, 2), 4, np.float32),
    }

    bbox, counts, masks = run_eagerly(network, inputs)

    np.testing.assert_allclose(bbox, [[0, 0.9, 0, 0, 2, 2], [1, 0.89, 0, 0, 1, 2]], rtol=1e-6)
    assert counts.tolist() == [2]
    assert masks.tolist() == [[[1, 0], [0, 1]], [[1, 0], [1, 0]]]
