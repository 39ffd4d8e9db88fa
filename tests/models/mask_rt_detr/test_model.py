from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import pytest

from segtune.models.frozen import frozen_parts, thaw
from segtune.models.mask_rt_detr.model import MaskRtDetr
from segtune.models.mask_rt_detr.variants import mask_rt_detr_s
from segtune.models.segmenter import Targets
from segtune.outputs import Outputs
from tests.models.labelled import Box, randomise, rectangles

SIZE_HW = (96, 128)
FULL: list[Box] = [(10, 10, 70, 60), (40, 30, 120, 90)]
BOX_AND_MASK_PARTS = (
    "transformer.bbox_head.",
    "transformer.mask_query_head.",
    "transformer.denoising_class_embed.",
    "neck.mask_feat_head.",
    "neck.enc_mask_lateral.",
    "neck.enc_mask_output.",
)


@pytest.fixture(scope="module")
def images() -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(0).random((2, 3, *SIZE_HW), np.float32))


@pytest.fixture
def network() -> MaskRtDetr:
    """A network of two classes; no weight is where random initialisation would leave it at zero."""
    network = mask_rt_detr_s(2)
    randomise(network, seed=0)
    return network


def labelled(boxes: Sequence[Sequence[Box]]) -> Targets:
    return rectangles(boxes, SIZE_HW, stride=1)


def gradients(network: MaskRtDetr, images: paddle.Tensor, targets: Targets) -> dict[str, float]:
    """Return the largest magnitude of every trainable parameter's gradient."""
    paddle.seed(0)
    network.losses(images, targets)["loss"].backward()
    return {
        name: float(np.abs(parameter.grad.numpy()).max())
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient
    }


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([FULL, FULL[:1]], id="full batch"),
        pytest.param([FULL, []], id="last image without instances"),
        pytest.param([[], FULL], id="first image without instances"),
    ],
)
def test_every_trainable_parameter_gets_a_gradient(
    network: MaskRtDetr, images: paddle.Tensor, boxes: Sequence[Sequence[Box]]
) -> None:
    magnitudes = gradients(network, images, labelled(boxes))

    assert len(magnitudes) == 367
    assert np.isfinite(list(magnitudes.values())).all()
    assert [name for name, magnitude in magnitudes.items() if magnitude == 0] == []


def test_without_instances_all_but_boxes_and_masks_learn(
    network: MaskRtDetr, images: paddle.Tensor
) -> None:
    magnitudes = gradients(network, images, labelled([[], []]))

    assert len(magnitudes) == 367
    assert np.isfinite(list(magnitudes.values())).all()
    still = {name for name, magnitude in magnitudes.items() if magnitude == 0}
    assert still == {name for name in magnitudes if name.startswith(BOX_AND_MASK_PARTS)}


def test_loss_is_the_sum_of_its_twenty_parts(network: MaskRtDetr, images: paddle.Tensor) -> None:
    losses = network.losses(images, labelled([FULL, FULL]))

    parts = {name: loss.item() for name, loss in losses.items()}
    assert len(parts) == 21
    assert min(parts.values()) > 0
    total = parts.pop("loss")
    assert sum(parts.values()) == pytest.approx(total, rel=1e-5)


def test_padding_does_not_change_the_losses(network: MaskRtDetr, images: paddle.Tensor) -> None:
    few = labelled([FULL, FULL[:1]])
    more = labelled([[*FULL, FULL[0]], FULL[:1]])
    padded = Targets(
        more.boxes,
        more.labels,
        more.masks,
        paddle.to_tensor([[True, True, False], [True, False, False]]),
        more.sizes_hw,
    )
    totals = []
    for targets in (few, padded):
        paddle.seed(0)
        totals.append(network.losses(images, targets)["loss"].item())

    assert totals[1] == pytest.approx(totals[0], rel=1e-6)


def test_more_instances_than_queries_are_learned_as_far_as_queries_go(
    images: paddle.Tensor,
) -> None:
    network = mask_rt_detr_s(2)
    network.transformer.num_queries = 5
    boxes: list[Box] = [(8.0 * i, 8, 8.0 * i + 7, 60) for i in range(9)]

    losses = network.losses(images, labelled([boxes, boxes[:1]]))

    assert all(np.isfinite(loss.item()) for loss in losses.values())
    assert losses["loss_mask"].item() > 0


def test_backbone_norms_stay_while_training_and_follow_the_batches_once_thawed(
    network: MaskRtDetr, images: paddle.Tensor
) -> None:
    def changed_statistics() -> set[str]:
        before = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
        network.train()
        network.losses(images, labelled([FULL, FULL]))
        return {
            name.split(".")[0]
            for name, tensor in network.state_dict().items()
            if not np.array_equal(tensor.numpy(), before[name])
        }

    assert changed_statistics() == {"neck", "transformer"}
    assert len(frozen_parts(network)) > 0
    thaw(network)
    assert frozen_parts(network) == []
    assert changed_statistics() == {"backbone", "neck", "transformer"}


@pytest.mark.parametrize("size_hw", [(64, 64), (96, 160)])
@pytest.mark.parametrize("num_images", [1, 3])
def test_rows_of_any_batch_are_those_of_its_images_alone(
    network: MaskRtDetr, size_hw: tuple[int, int], num_images: int
) -> None:
    network.eval()
    values = np.random.default_rng(1).random((num_images, 3, *size_hw), np.float32)
    with paddle.no_grad():
        together = Outputs(*(field.numpy() for field in network(paddle.to_tensor(values))))
        alone = Outputs(*(field.numpy() for field in network(paddle.to_tensor(values[-1:]))))

    rows = int(alone.counts[0])
    assert together.counts.tolist() == [rows] * num_images
    assert together.mask_logits.shape == (rows * num_images, size_hw[0] // 4, size_hw[1] // 4)
    assert np.diff(alone.scores).max() <= 0
    np.testing.assert_allclose(together.scores[-rows:], alone.scores, atol=1e-4)


def test_numbers_that_are_not_finite_stop_the_matcher(
    network: MaskRtDetr, images: paddle.Tensor
) -> None:
    bias = network.transformer.bbox_head.layers[-1].bias
    bias.set_value(paddle.full_like(bias, float("nan")))

    with pytest.raises(FloatingPointError, match="matching"):
        network.losses(images, labelled([FULL, FULL]))
