from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from numpy.typing import NDArray
from paddle import Tensor

from segtune.models.upstream_form import UpstreamForm
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of, split_rows
from segtune.preprocess import Geometry
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

    def forward(self, images: Tensor) -> Outputs:
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
