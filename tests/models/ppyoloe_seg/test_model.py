from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from numpy.typing import NDArray

from segtune.models.conv_norm import fused_copy
from segtune.models.ppyoloe_seg.model import PpYoloeSeg
from segtune.models.ppyoloe_seg.variants import pp_yoloe_seg_s
from segtune.models.segmenter import Targets
from segtune.outputs import Outputs
from tests.models.labelled import Box, randomise, rectangles

SIZE_HW = (96, 128)
FULL: list[Box] = [(10, 10, 70, 60), (40, 30, 120, 90)]


@pytest.fixture(scope="module")
def images() -> paddle.Tensor:
    values = np.random.default_rng(0).random((2, 3, *SIZE_HW), np.float32)
    return paddle.to_tensor(values)


@pytest.fixture
def network() -> PpYoloeSeg:
    """A network of two classes with detections on any image."""
    network = pp_yoloe_seg_s(2)
    randomise(network, seed=0)
    return network


def predict(network: PpYoloeSeg, images: paddle.Tensor) -> list[NDArray[np.float32]]:
    network.eval()
    with paddle.no_grad():
        return [field.numpy() for field in network(images)]


@pytest.mark.parametrize(
    ("boxes", "num_positives"),
    [
        pytest.param([FULL, FULL[:1]], 3, id="full batch"),
        pytest.param([FULL, []], 2, id="one image without instances"),
        pytest.param([[], []], 0, id="no instances at all"),
    ],
)
def test_every_trainable_parameter_gets_a_gradient(
    network: PpYoloeSeg, images: paddle.Tensor, boxes: Sequence[Sequence[Box]], num_positives: int
) -> None:
    losses = network.losses(images, rectangles(boxes, SIZE_HW))
    losses["loss"].backward()

    trainable = {name: p for name, p in network.named_parameters() if not p.stop_gradient}
    assert len(trainable) == 304
    assert not [name for name, parameter in trainable.items() if parameter.grad is None]
    assert all(np.isfinite(parameter.grad.numpy()).all() for parameter in trainable.values())
    assert (losses["loss_mask"].item() > 0) == (num_positives > 0)
    assert losses["loss_cls"].item() > 0


def test_loss_is_the_weighted_sum_of_its_parts(network: PpYoloeSeg, images: paddle.Tensor) -> None:
    losses = network.losses(images, rectangles([FULL, FULL], SIZE_HW))

    assert {name: loss.shape for name, loss in losses.items()} == {name: [] for name in losses}
    parts = {name: loss.item() for name, loss in losses.items()}
    total = parts["loss_cls"] + 2.5 * (parts["loss_iou"] + parts["loss_mask"])
    assert parts["loss"] == pytest.approx(total + 0.5 * parts["loss_dfl"], rel=1e-5)


def test_padding_does_not_change_the_losses(network: PpYoloeSeg, images: paddle.Tensor) -> None:
    targets = rectangles([FULL, FULL[:1]], SIZE_HW)
    padded = Targets(
        F.pad(targets.boxes, [0, 0, 0, 3, 0, 0], value=0.0),
        F.pad(targets.labels, [0, 0, 0, 3]),
        paddle.concat([targets.masks, paddle.ones([2, 3, *targets.masks.shape[2:]], "uint8")], 1),
        paddle.concat([targets.valid, paddle.zeros([2, 3], "bool")], axis=1),
        targets.sizes_hw,
    )

    network.eval()  # a training pass would move the norm statistics in between
    expected, own = (network.losses(images, given) for given in (targets, padded))

    for name, loss in own.items():
        assert loss.item() == pytest.approx(expected[name].item(), rel=1e-5), name


def test_one_sgd_step_lowers_the_loss(network: PpYoloeSeg, images: paddle.Tensor) -> None:
    targets = rectangles([FULL, FULL[:1]], SIZE_HW)
    optimizer = paddle.optimizer.SGD(1e-4, parameters=network.parameters())
    before = network.losses(images, targets)["loss"]
    before.backward()
    optimizer.step()

    assert network.losses(images, targets)["loss"].item() < before.item()


def test_two_images_at_once_give_what_they_give_one_by_one(
    network: PpYoloeSeg, images: paddle.Tensor
) -> None:
    together = Outputs(*predict(network, images))
    alone = [Outputs(*predict(network, images[i : i + 1])) for i in (0, 1)]

    assert together.counts.tolist() == [one.counts.item() for one in alone]
    assert together.counts.min() > 0
    for name in ("boxes", "scores", "labels", "mask_logits"):
        expected = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_allclose(getattr(together, name), expected, atol=1e-3, err_msg=name)


def test_outputs_keep_their_shapes_without_detections(images: paddle.Tensor) -> None:
    network = pp_yoloe_seg_s(1)
    for predictor in network.yolo_head.pred_cls:
        predictor.bias.set_value(paddle.full([1], -20.0))

    boxes, scores, labels, mask_logits, counts = predict(network, images)

    assert boxes.shape == (0, 4)
    assert scores.shape == labels.shape == (0,)
    assert mask_logits.shape == (0, 24, 32)
    assert counts.tolist() == [0, 0]


def test_rows_are_sorted_by_label_and_score(network: PpYoloeSeg, images: paddle.Tensor) -> None:
    outputs = Outputs(*predict(network, images[:1]))

    order = np.lexsort((-outputs.scores, outputs.labels))
    np.testing.assert_array_equal(order, np.arange(len(order)))
    assert outputs.labels.dtype == np.int64
    assert set(outputs.labels.tolist()) == {0, 1}


@pytest.mark.parametrize(("num_classes", "size_hw"), [(1, (320, 256)), (7, (64, 64))])
def test_any_number_of_classes_and_any_size_of_whole_strides(
    num_classes: int, size_hw: tuple[int, int]
) -> None:
    network = pp_yoloe_seg_s(num_classes)
    network.eval()
    images = paddle.zeros([1, 3, *size_hw])
    targets = rectangles([[(4, 4, 60, 50)]], size_hw)
    targets = replace(targets, labels=targets.labels + num_classes - 1)

    losses = network.losses(images, targets)
    outputs = network(images)

    assert network.yolo_head.pred_cls[0].bias.shape == [num_classes]
    assert losses["loss"].item() > 0
    assert outputs.mask_logits.shape[1:] == [size_hw[0] // 4, size_hw[1] // 4]


def test_mask_loss_does_not_depend_on_the_room_around_the_instance() -> None:
    network = pp_yoloe_seg_s(1)
    network.eval()
    losses = []
    for size_hw in ((128, 128), (256, 192)):
        targets = rectangles([[(16, 16, 96, 96)]], size_hw)
        losses.append(network.losses(paddle.zeros([1, 3, *size_hw]), targets)["loss_mask"].item())

    # Zeros give the same features but at the border, which the receptive field brings nearer.
    assert losses[1] == pytest.approx(losses[0], rel=0.2)


def test_fused_copy_predicts_the_same(network: PpYoloeSeg, images: paddle.Tensor) -> None:
    expected = Outputs(*predict(network, images))
    fused = fused_copy(network)
    own = Outputs(*predict(fused, images))

    assert not [layer for layer in fused.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    np.testing.assert_array_equal(own.counts, expected.counts)
    np.testing.assert_allclose(own.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(own.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(own.mask_logits, expected.mask_logits, atol=1e-3)


@pytest.mark.parametrize(
    "shift", [pytest.param(0.0, id="detections"), pytest.param(-50.0, id="no detections")]
)
def test_network_traced_for_any_batch_gives_the_same_under_onednn(
    network: PpYoloeSeg, images: paddle.Tensor, tmp_path: Path, shift: float
) -> None:
    for predictor in network.yolo_head.pred_cls:
        predictor.bias.set_value(predictor.bias + shift)
    expected = Outputs(*predict(network, images))
    traced = paddle.jit.to_static(
        fused_copy(network), [paddle.static.InputSpec([None, 3, *SIZE_HW])], full_graph=True
    )
    paddle.jit.save(traced, str(tmp_path / "network"))
    config = paddle.inference.Config(
        str(tmp_path / "network.json"), str(tmp_path / "network.pdiparams")
    )
    config.disable_glog_info()
    config.enable_mkldnn()
    engine = paddle.inference.create_predictor(config)

    both = Outputs(*[field.numpy() for field in engine.run([images])])
    first = Outputs(*[field.numpy() for field in engine.run([images[:1]])])

    assert (both.counts.sum() > 0) == (shift == 0)
    for name, own, eager in zip(Outputs._fields, both, expected, strict=True):
        assert own.shape == eager.shape, name
        np.testing.assert_allclose(own, eager, atol=1e-3, err_msg=name)
    assert first.labels.tolist() == expected.labels[: expected.counts[0]].tolist()


def test_no_parameter_is_registered_twice(network: PpYoloeSeg) -> None:
    parameters = list(network.parameters())

    assert len({id(parameter) for parameter in parameters}) == len(parameters)
    assert len({parameter.name for parameter in parameters}) == len(parameters)
    assert len(list(network.state_dict())) == len(parameters) == 473
