from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import paddle
import pytest

from segtune.models.mask_rcnn.box_coder import encode
from segtune.models.mask_rcnn.cascade_head import WEIGHTS, CascadeHead
from segtune.models.mask_rcnn.labelled_rois import LabelledRois, label_all
from segtune.models.mask_rcnn.proposals import Proposals
from segtune.models.segmenter import Targets
from tests.models.labelled import Box
from tests.models.mask_rcnn.regions import Echo, give_constants, instances, regions

SQUARE: Box = (0, 0, 10, 10)
FOREGROUND, BACKGROUND = log(4), log(4 / 3)  # losses where one in four is foreground
STAY = [0.0, 0, 0, 0]


def cascade(deltas: Sequence[Sequence[float]] = (STAY, STAY, STAY)) -> CascadeHead:
    """Return stages that give every region one in four, and the same deltas."""
    head = CascadeHead(Echo, 1)
    for stage, values in enumerate(deltas):
        give_constants(getattr(head, f"bbox_score_stage{stage}"), [0, log(3)])
        give_constants(getattr(head, f"bbox_delta_stage{stage}"), values)
    return head


def first_rois(boxes: Sequence[Sequence[Box]], targets: Targets) -> LabelledRois:
    return label_all(regions(boxes), targets, min_iou=0.5, num_classes=1)


def losses_by_stage(head: CascadeHead, rois: LabelledRois, targets: Targets) -> list[list[float]]:
    """Return the losses of class and box of each stage, without the third that they count."""
    losses = head.losses([], rois, targets)
    assert len(losses) == 6
    return [
        [3 * losses[f"loss_bbox_{kind}_stage{stage}"].item() for kind in ("cls", "reg")]
        for stage in range(3)
    ]


def test_every_stage_asks_for_more_overlap() -> None:
    targets = instances([[SQUARE]])
    shares = (0.55, 0.65, 0.75, 0.2)
    boxes: list[Box] = [(0, 0, 10, 10 * share) for share in shares]

    losses = losses_by_stage(cascade(), first_rois([boxes], targets), targets)

    wanted = paddle.to_tensor([SQUARE] * 4, "float32")
    for stage, num_foreground in enumerate((3, 2, 1)):
        entropy = (num_foreground * FOREGROUND + (4 - num_foreground) * BACKGROUND) / 4
        deltas = encode(paddle.to_tensor(boxes, "float32"), wanted, WEIGHTS[stage])
        distance = deltas[3 - num_foreground : 3].abs().sum().item() / 4
        assert losses[stage] == pytest.approx([entropy, distance], rel=1e-5), stage


def test_a_stage_begins_with_the_boxes_of_the_one_before() -> None:
    targets = instances([[SQUARE]])
    # Two tenths of a width to the right in the first stage, and one back in the second.
    head = cascade([[2, 0, 0, 0], [-2, 0, 0, 0], STAY])

    losses = losses_by_stage(head, first_rois([[SQUARE]], targets), targets)

    # Overlaps are 1, 8 / 12 and 9 / 11, and the deltas to undo are weighted 20 and 30.
    assert [box for _, box in losses] == pytest.approx([2, abs(-2 * 2 + 2), 3], rel=1e-5)
    assert [entropy for entropy, _ in losses] == pytest.approx([FOREGROUND] * 3, rel=1e-5)


def test_boxes_that_leave_the_image_are_dropped_from_the_later_stages() -> None:
    targets = instances([[(60, 0, 70, 10)]])
    boxes: list[Box] = [(50, 0, 60, 10), (90, 0, 100, 10), (60, 0, 70, 10)]
    head = cascade([[10, 0, 0, 0], STAY, STAY])  # a width to the right

    losses = losses_by_stage(head, first_rois([boxes], targets), targets)

    # The third one is foreground; then the first one has come there, and the second is gone.
    entropies = [(FOREGROUND + 2 * BACKGROUND) / 3] + [(FOREGROUND + BACKGROUND) / 2] * 2
    assert [entropy for entropy, _ in losses] == pytest.approx(entropies, rel=1e-5)
    assert [box for _, box in losses] == pytest.approx([10 / 3, 0, 0], abs=1e-5)


def test_void_regions_stay_void_in_the_later_stages() -> None:
    targets = instances([[SQUARE]])
    proposals = regions([[SQUARE, (50, 50, 60, 60)]])
    proposals = proposals._replace(is_valid=paddle.to_tensor([[True, False]]))
    rois = label_all(proposals, targets, min_iou=0.5, num_classes=1)

    losses = losses_by_stage(cascade(), rois, targets)

    assert [entropy for entropy, _ in losses] == pytest.approx([FOREGROUND] * 3, rel=1e-5)


@pytest.mark.parametrize(
    ("boxes", "is_gone"),
    [
        pytest.param([[(90, 0, 100, 10)], []], True, id="all boxes leave the image"),
        pytest.param([[], []], False, id="no boxes from the beginning"),
    ],
)
def test_a_stage_without_regions_costs_nothing_and_has_gradients(
    boxes: list[list[Box]], is_gone: bool
) -> None:
    targets = instances([[SQUARE], []])
    rois = first_rois(boxes, targets) if is_gone else _void(targets)
    head = cascade([[10, 0, 0, 0], STAY, STAY])

    losses = head.losses([], rois, targets)
    sum(losses.values()).backward()

    expected = [BACKGROUND / 3 if is_gone else 0, 0, 0]
    own = [losses[f"loss_bbox_cls_stage{stage}"].item() for stage in range(3)]
    assert own == pytest.approx(expected)
    gradients = {name: tensor.grad for name, tensor in head.named_parameters()}
    assert len(gradients) == 12
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients.values())


def _void(targets: Targets) -> LabelledRois:
    proposals = Proposals(paddle.zeros([2, 1, 4]), paddle.zeros([2, 1], "bool"))
    return label_all(proposals, targets, min_iou=0.5, num_classes=1)


def test_no_gradient_passes_from_a_stage_to_the_one_before() -> None:
    targets = instances([[SQUARE]])
    head = cascade([[1, 0, 0, 0], STAY, STAY])

    losses = head.losses([], first_rois([[SQUARE]], targets), targets)
    (losses["loss_bbox_reg_stage1"] + losses["loss_bbox_cls_stage2"]).backward()

    assert head.bbox_delta_stage1.bias.grad.numpy().any()
    before = head.bbox_delta_stage0.bias.grad
    assert before is None or not before.numpy().any()


def test_prediction_averages_the_scores_and_keeps_every_box() -> None:
    head = cascade([[10, 0, 0, 0], [0, 20, 0, 0], [0, 0, 3, 4]])  # right, then down
    give_constants(head.bbox_score_stage0, [0, 0])
    give_constants(head.bbox_score_stage2, [log(3), 0])
    sizes_hw = paddle.to_tensor([[100.0, 100]])

    rois = head([], regions([[SQUARE, (95, 0, 105, 10)]]), sizes_hw)

    np.testing.assert_allclose(rois.scores.numpy(), [[[0.5], [0.5]]], rtol=1e-6)  # 1/2, 1/4, 3/4
    np.testing.assert_allclose(
        rois.boxes.numpy(), [[[10, 10, 20, 20], [100, 10, 100, 20]]], atol=1e-5
    )
    np.testing.assert_allclose(rois.deltas.numpy(), [[[0, 0, 3, 4]] * 2])
    assert rois.is_valid.tolist() == [[True, True]]
    assert rois.weights == (30, 30, 15, 15)


def test_the_first_stage_samples_with_an_overlap_of_one_half() -> None:
    proposals = regions([[(0, 0, 10, 4), (0, 0, 10, 5)]])

    rois = cascade().sample(proposals, instances([[SQUARE]]))

    assert rois.labels.tolist() == [[0, 0, 1]]
    assert rois.boxes.numpy()[0, 2].tolist() == [0, 0, 10, 4]
