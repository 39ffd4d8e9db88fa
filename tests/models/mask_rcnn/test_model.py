from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import paddle
import pytest
from numpy.typing import ArrayLike

from segtune.models.conv_norm import fused_copy
from segtune.models.frozen import STATISTICS, thaw
from segtune.models.mask_rcnn import detections
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.segmenter import Targets
from segtune.outputs import Outputs
from tests.models.labelled import Box
from tests.models.mask_rcnn.networks import (
    FAMILIES,
    NUM_CLASSES,
    Family,
    real_network,
    score_layers,
    small_network,
)
from tests.models.mask_rcnn.regions import instances

SIZE_HW = (64, 96)
FULL: list[Box] = [(5, 5, 40, 50), (30, 20, 90, 60)]
NUM_TRAINABLE = {"C4": 56, "FPN": 84, "Cascade": 100}
EVERY_SAMPLE = 1_000_000  # so many that nothing is drawn at random
BOTH = [FULL, FULL[:1]]


@pytest.fixture(scope="module")
def images() -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(0).random((2, 3, *SIZE_HW), np.float32))


@pytest.fixture(scope="module", params=FAMILIES)
def real(request: pytest.FixtureRequest) -> tuple[Family, MaskRcnn]:
    """A network as it is; tests leave its weights alone."""
    return request.param, real_network(request.param)


@pytest.fixture(scope="module", params=FAMILIES)
def built(request: pytest.FixtureRequest) -> MaskRcnn:
    return small_network(request.param)


@pytest.fixture
def small(built: MaskRcnn) -> MaskRcnn:
    """A network with little to compute, which tests may change."""
    return copy.deepcopy(built)


def labelled(boxes: Sequence[Sequence[Box]], size_hw: tuple[int, int] = SIZE_HW) -> Targets:
    labels = [list(range(len(rows))) for rows in boxes]
    return instances(boxes, labels, size_hw)


def gradients(network: MaskRcnn, images: paddle.Tensor, targets: Targets) -> dict[str, float]:
    """Return the largest magnitude of every trainable parameter's gradient."""
    network.train()
    network.clear_gradients()
    paddle.seed(0)
    network.losses(images, targets)["loss"].backward()
    return {
        name: float(np.abs(parameter.grad.numpy()).max())
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient
    }


def losses(network: MaskRcnn, images: paddle.Tensor, targets: Targets) -> dict[str, float]:
    paddle.seed(0)
    return {name: loss.item() for name, loss in network.losses(images, targets).items()}


def predict(network: MaskRcnn, images: paddle.Tensor, sizes_hw: ArrayLike | None = None) -> Outputs:
    network.eval()
    given = None if sizes_hw is None else paddle.to_tensor(sizes_hw, "float32")
    with paddle.no_grad():
        return Outputs(*[field.numpy() for field in network(images, given)])


def expect_equal(own: Outputs, expected: Outputs) -> None:
    np.testing.assert_array_equal(own.counts, expected.counts)
    np.testing.assert_array_equal(own.labels, expected.labels)
    for name in ("boxes", "scores", "mask_logits"):
        np.testing.assert_allclose(
            getattr(own, name), getattr(expected, name), 1e-3, 1e-3, err_msg=name
        )


def test_every_trainable_parameter_gets_a_gradient(
    real: tuple[Family, MaskRcnn], images: paddle.Tensor
) -> None:
    family, network = real

    magnitudes = gradients(network, images, labelled(BOTH))

    assert len(magnitudes) == NUM_TRAINABLE[family]
    assert np.isfinite(list(magnitudes.values())).all()
    assert [name for name, magnitude in magnitudes.items() if magnitude == 0] == []


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([FULL, []], id="last image without instances"),
        pytest.param([[], FULL], id="first image without instances"),
    ],
)
def test_an_image_without_instances_does_not_keep_a_parameter_from_learning(
    small: MaskRcnn, images: paddle.Tensor, boxes: Sequence[Sequence[Box]]
) -> None:
    magnitudes = gradients(small, images, labelled(boxes))

    assert np.isfinite(list(magnitudes.values())).all()
    assert [name for name, magnitude in magnitudes.items() if magnitude == 0] == []


def test_without_instances_all_but_boxes_and_masks_learn(
    real: tuple[Family, MaskRcnn], images: paddle.Tensor
) -> None:
    family, network = real

    magnitudes = gradients(network, images, labelled([[], []]))

    assert len(magnitudes) == NUM_TRAINABLE[family]
    assert np.isfinite(list(magnitudes.values())).all()
    still = {name for name, magnitude in magnitudes.items() if magnitude == 0}
    of_boxes = ("rpn_head.rpn_rois_delta.", "bbox_head.bbox_delta", "mask_head.")
    assert still == {name for name in magnitudes if name.startswith(of_boxes)}


def test_thawed_all_parameters_learn(real: tuple[Family, MaskRcnn], images: paddle.Tensor) -> None:
    network = copy.deepcopy(real[1])
    thaw(network)

    magnitudes = gradients(network, images, labelled(BOTH))

    names = [name for name, _ in network.named_parameters() if not name.endswith(STATISTICS)]
    assert list(magnitudes) == names
    assert np.isfinite(list(magnitudes.values())).all()
    assert [name for name, magnitude in magnitudes.items() if magnitude == 0] == []


def test_real_networks_find_instances_and_a_fused_copy_finds_the_same(
    real: tuple[Family, MaskRcnn], images: paddle.Tensor
) -> None:
    family, network = real
    fused = fused_copy(network)

    expected, own = (predict(given, images[:1]) for given in (network, fused))

    side = 14 if family == "C4" else 28
    assert expected.mask_logits.shape == (expected.counts.item(), side, side)
    assert set(expected.labels.tolist()) == set(range(NUM_CLASSES))
    assert not [layer for layer in fused.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    expect_equal(own, expected)


def test_loss_is_the_sum_of_its_parts(small: MaskRcnn, images: paddle.Tensor) -> None:
    parts = losses(small, images, labelled(BOTH))

    total = parts.pop("loss")
    assert len(parts) == (9 if "loss_bbox_cls_stage0" in parts else 5)
    assert min(parts.values()) > 0
    assert sum(parts.values()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("boxes", [BOTH, [[], []]], ids=["instances", "no instances"])
def test_losses_are_numbers_without_axes(
    small: MaskRcnn, images: paddle.Tensor, boxes: list[list[Box]]
) -> None:
    parts = small.losses(images, labelled(boxes))

    assert {name: loss.shape for name, loss in parts.items()} == {name: [] for name in parts}


def test_without_instances_only_classes_cost_something(
    small: MaskRcnn, images: paddle.Tensor
) -> None:
    parts = losses(small, images, labelled([[], []]))

    del parts["loss"]
    assert {name for name, value in parts.items() if value > 0} == {
        name for name in parts if "_cls" in name
    }


def test_padding_does_not_change_the_losses(small: MaskRcnn, images: paddle.Tensor) -> None:
    small.rpn_head.samples_per_image = small.bbox_head.samples_per_image = EVERY_SAMPLE
    few = labelled(BOTH)
    more = labelled([[*FULL, FULL[0], FULL[1]], [FULL[0], FULL[1], FULL[1], FULL[0]]])
    padded = replace(
        more, valid=paddle.to_tensor([[True, True, False, False], [True, False, False, False]])
    )

    expected, own = (losses(small, images, targets) for targets in (few, padded))

    for name, value in expected.items():
        assert own[name] == pytest.approx(value, rel=1e-5), name


def test_heads_learn_from_as_many_regions_of_an_image_as_asked(small: MaskRcnn) -> None:
    boxes = paddle.to_tensor([FULL * 50, FULL * 50], "float32")
    proposals = Proposals(boxes, paddle.ones(boxes.shape[:2], "bool"))
    small.regions_per_image = 8

    rois = small.bbox_head.sample(proposals, labelled(BOTH))

    assert small.regions_per_image == 8
    assert rois.is_valid.sum(axis=1).tolist() == [2, 8]  # the first has no background to fill up
    assert rois.is_foreground.sum(axis=1).tolist() == [2, 2]


def test_one_sgd_step_lowers_the_loss(small: MaskRcnn, images: paddle.Tensor) -> None:
    targets = labelled(BOTH)
    optimizer = paddle.optimizer.SGD(1e-5, parameters=small.parameters())
    paddle.seed(0)
    before = small.losses(images, targets)["loss"]
    before.backward()
    optimizer.step()

    assert losses(small, images, targets)["loss"] < before.item()


@pytest.mark.parametrize("of_first", [FULL, []], ids=["both", "last image alone"])
def test_masks_of_an_image_are_learned_from_its_own_features(
    small: MaskRcnn, images: paddle.Tensor, of_first: list[Box]
) -> None:
    targets = labelled([of_first, FULL])
    changed = targets.masks.clone()
    changed[1] = 1 - changed[1]
    of_images = []
    for masks in (targets.masks, changed):
        pixels = images.clone().detach()
        pixels.stop_gradient = False
        paddle.seed(0)
        small.losses(pixels, replace(targets, masks=masks))["loss_mask"].backward()
        of_images.append(pixels.grad.numpy())

    (first, second), (first_after, second_after) = of_images
    assert first.any() == bool(of_first)
    np.testing.assert_allclose(first_after, first, atol=1e-5 * np.abs(first).max())
    assert np.abs(second_after - second).max() > 0.1 * np.abs(second).max() > 0


def test_two_images_of_different_sizes_give_what_they_give_one_by_one(
    small: MaskRcnn, images: paddle.Tensor
) -> None:
    sizes_hw = [[64, 96], [40, 50]]

    together = predict(small, images, sizes_hw)
    alone = [predict(small, images[n : n + 1], sizes_hw[n : n + 1]) for n in (0, 1)]

    expect_equal(
        together, Outputs(*[np.concatenate(fields) for fields in zip(*alone, strict=True)])
    )
    assert min(one.counts[0] for one in alone) > 0
    for one, (height, width) in zip(alone, sizes_hw, strict=True):
        assert one.boxes.min() >= 0
        assert one.boxes[:, 2].max() <= width
        assert one.boxes[:, 3].max() <= height
    # Both reach the border of their own image, the first one beyond the second one's.
    assert alone[0].boxes[:, 2].max() > 50
    assert alone[0].boxes[:, 3].max() > 40


def test_without_sizes_images_fill_their_input(small: MaskRcnn, images: paddle.Tensor) -> None:
    expected = predict(small, images, [SIZE_HW, SIZE_HW])

    assert expected.counts.min() > 0
    expect_equal(predict(small, images), expected)


def test_rows_of_an_image_are_sorted_by_label(small: MaskRcnn, images: paddle.Tensor) -> None:
    outputs = predict(small, images)

    first, second = np.split(outputs.labels, outputs.counts[:1])
    assert outputs.labels.dtype == np.int64
    assert len(second) == outputs.counts[1]
    for labels in (first, second):
        assert np.diff(labels).min() >= 0
        assert len(set(labels.tolist())) > 1


def test_outputs_keep_their_shapes_without_detections(
    small: MaskRcnn, images: paddle.Tensor
) -> None:
    for layer in score_layers(small):
        layer.bias.set_value(paddle.to_tensor([0.0] * NUM_CLASSES + [20.0]))

    boxes, scores, labels, mask_logits, counts = predict(small, images)

    side = 14 if small.size_divisor == 1 else 28
    assert boxes.shape == (0, 4)
    assert scores.shape == labels.shape == (0,)
    assert mask_logits.shape == (0, side, side)
    assert counts.tolist() == [0, 0]


@pytest.mark.parametrize("empty", [0, 1])
def test_nothing_may_be_found_on_one_image_of_a_batch(
    small: MaskRcnn, images: paddle.Tensor, empty: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [predict(small, images[n : n + 1]) for n in (0, 1)]
    alone.sort(key=lambda one: one.scores.max())
    limit = (alone[0].scores.max() + alone[1].scores.max()) / 2
    expected = predict_above(limit, small, images, monkeypatch)
    full = int(expected.counts.argmax())
    swapped = images if full != empty else images.flip(0)

    own = predict_above(limit, small, swapped, monkeypatch)

    assert (own.counts == 0).tolist() == [empty == 0, empty == 1]
    assert own.counts.sum() > 0
    expect_equal(own._replace(counts=expected.counts), expected)


def predict_above(
    limit: float, network: MaskRcnn, images: paddle.Tensor, monkeypatch: pytest.MonkeyPatch
) -> Outputs:
    monkeypatch.setattr(detections, "MIN_SCORE", float(limit))
    return predict(network, images)


@pytest.mark.parametrize(
    "sizes_by_divisor",
    [
        pytest.param({1: (32, 32), 32: (32, 32)}, id="one cell of the coarsest feature"),
        pytest.param({1: (70, 50), 32: (96, 32)}, id="a high image"),
    ],
)
def test_any_size_that_the_divisor_divides(
    small: MaskRcnn, sizes_by_divisor: dict[int, tuple[int, int]]
) -> None:
    size_hw = sizes_by_divisor[small.size_divisor]
    images = paddle.to_tensor(np.random.default_rng(1).random((1, 3, *size_hw), np.float32))

    magnitudes = gradients(small, images, labelled([[(2, 3, 30, 28)]], size_hw))
    outputs = predict(small, images)

    assert np.isfinite(list(magnitudes.values())).all()
    assert outputs.counts.item() == len(outputs.boxes) > 0
    assert (outputs.boxes <= [size_hw[1], size_hw[0]] * 2).all()


def test_no_parameter_is_registered_twice(real: tuple[Family, MaskRcnn]) -> None:
    parameters = list(real[1].parameters())

    assert len({id(parameter) for parameter in parameters}) == len(parameters)
    assert len(real[1].state_dict()) == len(parameters)
