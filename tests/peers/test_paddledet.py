from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from numpy.typing import NDArray
from paddle import nn

from segtune.models.mask_rcnn.anchors import cell_anchors, grid_anchors
from segtune.models.mask_rcnn.box_coder import Weights, decode, encode
from segtune.models.mask_rcnn.detections import ScoredRois, best_detections
from segtune.models.mask_rcnn.fpn import FeaturePyramid
from segtune.models.mask_rcnn.matching import match
from segtune.models.mask_rcnn.proposals import LevelScores, ProposalCounts, propose
from segtune.models.mask_rcnn.roi_align import RoiAlign
from segtune.models.resnet import ResNet, Variant
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of
from segtune.preprocess import Geometry
from tests.models.labelled import rectangles
from tests.parity.fill import fill, scene

PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
HAS_PADDLEDET = any(PYTHON.parents[1].glob("lib/python*/site-packages/ppdet"))
GAIN = 0.7  # of norms, for activations in range
SIZE_HW = (512, 640)  # of the image that the levels stand for
STRIDES = (4, 8, 16, 32)
SIDES = (32, 64, 128, 256, 512)
BOX_WEIGHTS = Weights(10.0, 10.0, 5.0, 5.0)
COUNTS = (9, 0, 7)  # boxes of each image; the second has none
FEATURE_LIMIT = 1e-5  # of the largest magnitude, after a hundred convolutions
REGION_LIMIT = 1e-6  # a few roundings of float32

Arrays = dict[str, NDArray[Any]]

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_PADDLEDET, reason="no paddledet; `make peers` installs it"),
]


def run_paddledet(folder: Path, part: str, *arguments: str, given: Arrays) -> Arrays:
    """Return what a part of PaddleDetection makes of arrays."""
    inputs, outputs = folder / "inputs.npz", folder / "outputs.npz"
    np.savez(inputs, **given)
    script = Path(__file__).with_name("run_paddledet.py")
    run = subprocess.run(
        [PYTHON, script, part, *arguments, inputs, outputs],
        capture_output=True,
        text=True,
        check=False,
    )
    inputs.unlink()  # hundreds of megabytes, which pytest would keep
    assert run.returncode == 0, run.stderr[-3000:]
    with np.load(outputs) as file:
        return {name: file[name] for name in file.files}


def largest_difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return the largest difference as a part of the largest magnitude."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize(
    ("depth", "variant", "groups", "base_width"),
    [
        pytest.param(50, "b", 1, 64, id="ResNet50"),
        pytest.param(50, "d", 1, 64, id="ResNet50-vd"),
        pytest.param(101, "d", 1, 64, id="ResNet101-vd"),
        pytest.param(101, "d", 64, 4, id="ResNeXt101-vd"),
    ],
)
def test_backbone_and_pyramid_compute_what_paddledet_computes(
    depth: int, variant: Variant, groups: int, base_width: int, tmp_path: Path
) -> None:
    backbone = ResNet(depth, variant, groups=groups, base_width=base_width)
    neck = FeaturePyramid([256, 512, 1024, 2048])
    network = nn.LayerDict({"backbone": backbone, "neck": neck})
    tensors = network.state_dict()
    weights = fill({name: tuple(tensor.shape) for name, tensor in tensors.items()}, GAIN)
    for name, value in weights.items():
        tensors[name].set_value(value)
    images = scene(160)["image"][:, :, :128]

    with paddle.no_grad():
        network.eval()
        stages = backbone(paddle.to_tensor(images))
        ours = [*stages, *neck(stages)]
    choice = str(depth), variant, str(groups), str(base_width)
    theirs = run_paddledet(tmp_path, "features", *choice, given={"images": images, **weights})

    assert len(ours) == len(theirs) == 9
    differences = [
        largest_difference(feature.numpy(), theirs[str(number)])
        for number, feature in enumerate(ours)
    ]
    print(f"res2 to res5, P2 to P6: {differences}")
    assert all(difference <= FEATURE_LIMIT for difference in differences)


@pytest.fixture(scope="module")
def given() -> Arrays:
    """Return boxes on three images, levels of their features, and a head's output for one."""
    rng = np.random.default_rng(0)
    height, width = SIZE_HW
    levels = {
        f"level{number}": rng.standard_normal((3, 4, height // stride, width // stride))
        for number, stride in enumerate(STRIDES)
    }
    corners = rng.uniform(0, 0.5, (sum(COUNTS), 2)) * (width, height)
    sides = np.geomspace(2, 640, sum(COUNTS))[rng.permutation(sum(COUNTS))]  # all levels serve
    boxes = np.hstack([corners, corners + sides[:, None] * (1.0, 0.8)])
    lone = np.array([[600, 8, 630, 38], [600, 60, 630, 90]])
    rois = np.vstack([boxes[-5:].repeat(12, axis=0), lone])  # five groups that overlap, and two
    class_scores = rng.dirichlet(np.full(4, 0.5), len(rois))
    class_scores[-2:] = [[0.05, 0, 0, 0.95], [0.0501, 0, 0, 0.9499]]  # at the least score, above it
    arrays = {
        **levels,
        "boxes": boxes,
        "deltas": rng.standard_normal((sum(COUNTS), 4)) * 20,  # some past the largest stretch
        "wanted": np.array([[16, 24, 90, 80], [300, 200, 364, 264], [500, 400, 505, 410]]),
        "logits": rng.standard_normal((1, 3, height // 8, width // 8)),
        "deltas_map": 0.1 * rng.standard_normal((1, 12, height // 8, width // 8)),
        "size_hw": np.array([SIZE_HW]),
        "rois": rois,
        "class_scores": class_scores,
        "class_deltas": rng.standard_normal((len(rois), 12)),
        "mask_boxes": boxes.clip(0, [width, height, width, height]),
        "masks": rng.uniform(0, 1, (sum(COUNTS), 28, 28)),
    }
    return {
        **{name: array.astype(np.float32) for name, array in arrays.items()},
        "counts": np.array(COUNTS, np.int32),
    }


@pytest.fixture(scope="module")
def theirs(given: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    return run_paddledet(tmp_path_factory.mktemp("regions"), "regions", given=given)


def level(given: Arrays, number: int) -> paddle.Tensor:
    return paddle.to_tensor(given[f"level{number}"])


def anchors_at_stride_8(given: Arrays) -> paddle.Tensor:
    return grid_anchors(cell_anchors([SIDES[1]]), STRIDES[1], level(given, 1))


def test_anchors_lie_where_paddledet_puts_them(given: Arrays, theirs: Arrays) -> None:
    levels = [level(given, number) for number in range(4)]
    levels.append(levels[-1][:, :, ::2, ::2])
    for number, (side, stride) in enumerate(zip(SIDES, (*STRIDES, 64), strict=True)):
        ours = grid_anchors(cell_anchors([side]), stride, levels[number])
        np.testing.assert_array_equal(ours.numpy(), theirs[f"anchors{number}"])
    c4 = grid_anchors(cell_anchors(SIDES), 16, levels[2])
    np.testing.assert_array_equal(c4.numpy(), theirs["anchors_c4"])


def test_boxes_become_paddledets_deltas_and_back(given: Arrays, theirs: Arrays) -> None:
    boxes, deltas = paddle.to_tensor(given["boxes"]), paddle.to_tensor(given["deltas"])

    encoded = encode(boxes, boxes.flip(0), BOX_WEIGHTS).numpy()
    decoded = decode(boxes, deltas, BOX_WEIGHTS).numpy()

    assert largest_difference(encoded, theirs["encoded"]) <= REGION_LIMIT
    assert largest_difference(decoded, theirs["decoded"]) <= REGION_LIMIT


def test_anchors_are_matched_as_paddledet_matches_them(given: Arrays, theirs: Arrays) -> None:
    targets = rectangles([[tuple(box) for box in given["wanted"]]], (4, 4))

    matches = match(
        anchors_at_stride_8(given)[None],
        targets,
        foreground_iou=0.7,
        background_iou=0.3,
        keep_best=True,
    )

    is_foreground = matches.is_foreground[0].numpy()
    np.testing.assert_array_equal(is_foreground, theirs["labels"] == 1)
    np.testing.assert_array_equal(matches.is_background[0].numpy(), theirs["labels"] == 0)
    instances = matches.instances[0].numpy()
    np.testing.assert_array_equal(instances[is_foreground], theirs["instances"][is_foreground])
    assert set(instances[is_foreground]) == {0, 1, 2}


def test_proposals_of_a_level_are_paddledets(given: Arrays, theirs: Arrays) -> None:
    logits = given["logits"].transpose(0, 2, 3, 1).reshape(1, -1)
    deltas = given["deltas_map"].transpose(0, 2, 3, 1).reshape(1, -1, 4)
    scores = LevelScores(
        anchors_at_stride_8(given), paddle.to_tensor(logits), paddle.to_tensor(deltas)
    )

    proposals = propose([scores], paddle.to_tensor(given["size_hw"]), ProposalCounts(2000, 2000))

    ours = proposals.boxes.numpy()[proposals.is_valid.numpy()]
    assert 1000 < len(ours) < 2000  # some are suppressed
    assert largest_difference(ours, theirs["proposals"]) <= REGION_LIMIT


def test_regions_are_pooled_as_paddledet_pools_them(given: Arrays, theirs: Arrays) -> None:
    boxes, counts = paddle.to_tensor(given["boxes"]), paddle.to_tensor(given["counts"])
    levels = [level(given, number) for number in range(4)]

    pooled = RoiAlign(7, STRIDES)(levels, boxes, counts).numpy()
    pooled_c4 = RoiAlign(14, [16])(levels[2:3], boxes, counts).numpy()

    assert largest_difference(pooled, theirs["pooled"]) <= REGION_LIMIT
    assert largest_difference(pooled_c4, theirs["pooled_c4"]) <= REGION_LIMIT


def test_detections_are_paddledets(given: Arrays, theirs: Arrays) -> None:
    rois = ScoredRois(
        scores=paddle.to_tensor(given["class_scores"][None, :, :-1]),
        is_valid=paddle.ones([1, len(given["rois"])], "bool"),
        boxes=paddle.to_tensor(given["rois"][None]),
        deltas=paddle.to_tensor(given["class_deltas"][None]),
        weights=BOX_WEIGHTS,
        sizes_hw=paddle.to_tensor(given["size_hw"]),
    )

    boxes, scores, labels, counts = (tensor.numpy() for tensor in best_detections(rois))

    expected = theirs["detections"]  # label, score, box
    expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
    order = np.lexsort((scores, labels))
    assert counts.tolist() == [len(expected)]
    assert 15 < len(expected) < 100  # some are suppressed, none is left out for number
    np.testing.assert_array_equal(labels[order], expected[:, 0])
    np.testing.assert_array_equal(scores[order], expected[:, 1])
    assert largest_difference(boxes[order], expected[:, 2:]) <= REGION_LIMIT


def test_masks_fill_their_boxes_as_paddledet_fills_them(given: Arrays, theirs: Arrays) -> None:
    probabilities = given["masks"]
    num_masks = len(probabilities)
    rows = Outputs(
        boxes=given["mask_boxes"],
        scores=np.linspace(0.9, 0.1, num_masks),
        labels=np.zeros(num_masks),
        mask_logits=np.log(probabilities / (1 - probabilities)),
        counts=np.array([num_masks]),
    )

    instances = instances_of(rows, Geometry(SIZE_HW, SIZE_HW, SIZE_HW), mask_frame=MaskFrame.BOX)

    np.testing.assert_array_equal(np.stack(list(instances.masks)), theirs["masks"])
