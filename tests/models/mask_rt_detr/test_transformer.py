from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import Tensor

from segtune.models.mask_rt_detr.denoising import make_noisy_queries
from segtune.models.mask_rt_detr.transformer import QueryTransformer
from tests.models.labelled import randomise
from tests.models.mask_rt_detr.units import unit_targets

QUERIES, LAYERS = 6, 2


@pytest.fixture
def transformer() -> QueryTransformer:
    transformer = QueryTransformer(
        8, num_classes=3, num_prototypes=4, dim=16, num_queries=QUERIES, num_layers=LAYERS
    )
    randomise(transformer, seed=0)
    transformer.eval()
    return transformer


@pytest.fixture
def inputs() -> tuple[list[Tensor], Tensor, Tensor]:
    """Features of an input of 64 x 96, pixels of 5 channels, and what makes prototypes of them."""
    paddle.seed(0)
    features = [paddle.randn([2, 8, *size]) for size in ((8, 12), (4, 6), (2, 3))]
    return features, paddle.randn([2, 5, 16, 24]), paddle.randn([4, 5])


def test_scores_begin_at_one_percent_and_boxes_where_they_are() -> None:
    transformer = QueryTransformer(8, num_classes=3, num_prototypes=4, dim=16, num_layers=2)

    np.testing.assert_allclose(transformer.score_head.bias.numpy(), -4.59512, rtol=1e-5)
    *inner, last = transformer.bbox_head.layers
    assert not last.weight.numpy().any()
    assert not last.bias.numpy().any()
    assert all(layer.weight.numpy().any() for layer in inner)


@pytest.mark.parametrize(
    ("labels", "num_steps"),
    [
        pytest.param([[0, 1], [2]], 2 + LAYERS, id="with denoising"),
        pytest.param([[], []], 1 + LAYERS, id="without instances"),
    ],
)
def test_training_predicts_what_prediction_does_whatever_is_denoised(
    transformer: QueryTransformer,
    inputs: tuple[list[Tensor], Tensor, Tensor],
    labels: list[list[int]],
    num_steps: int,
) -> None:
    denoising = make_noisy_queries(unit_targets(labels), 3, num_queries=10)

    predicted = transformer(*inputs)
    matched, denoised = transformer.every_layer(*inputs, denoising)

    assert matched.boxes.shape == [num_steps, 2, QUERIES, 4]
    for own, expected in zip(matched, predicted, strict=True):
        np.testing.assert_allclose(own[-1].numpy(), expected.numpy(), atol=1e-5)
    if denoising is None:
        assert denoised is None
    else:
        assert denoised is not None
        assert denoised.class_logits.shape == [1 + LAYERS, 2, 10, 3]
        np.testing.assert_array_equal(denoised.boxes[0].numpy(), denoising.boxes.numpy())


def test_filters_for_prototypes_and_for_pixels_show_the_same(
    transformer: QueryTransformer, inputs: tuple[list[Tensor], Tensor, Tensor]
) -> None:
    features, pixels, basis = inputs
    prototypes = paddle.einsum("pc,nchw->nphw", basis, pixels)

    of_pixels = transformer(features, pixels, basis)
    of_prototypes = transformer(features, prototypes, None)

    masks = paddle.bmm(of_pixels.filters, pixels.flatten(2))
    expected = paddle.bmm(of_prototypes.filters, prototypes.flatten(2))
    np.testing.assert_allclose(masks.numpy(), expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(of_pixels.boxes.numpy(), of_prototypes.boxes.numpy(), atol=1e-4)


def test_fewer_cells_than_queries_are_all_selected(transformer: QueryTransformer) -> None:
    features = [paddle.randn([1, 8, *size]) for size in ((2, 1), (1, 1), (1, 1))]

    found = transformer(features, paddle.randn([1, 4, 4, 2]), None)

    assert found.boxes.shape == [1, 4, 4]
