from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F

from segtune.models.mask_rt_detr.hybrid_encoder import HybridEncoder, LevelEncoder


def test_cells_keep_their_places_while_they_attend_to_one_another() -> None:
    paddle.seed(0)
    encoder = LevelEncoder(8, hidden=4, num_layers=2)
    for layer in encoder.layers:  # nothing is added, which leaves the norms
        for part in (layer.self_attn.out_proj, layer.linear2):
            for parameter in part.parameters():
                parameter.set_value(paddle.zeros_like(parameter))
    x = paddle.randn([2, 8, 3, 5])

    normed = F.layer_norm(x.transpose([0, 2, 3, 1]), 8).transpose([0, 3, 1, 2])

    np.testing.assert_allclose(encoder(x).numpy(), normed.numpy(), atol=1e-4)


def test_a_cell_reads_every_other_of_its_image_and_none_of_another() -> None:
    paddle.seed(0)
    encoder = LevelEncoder(8, hidden=4, num_layers=1)
    x = paddle.randn([2, 8, 2, 3])
    x.stop_gradient = False

    encoder(x)[0, 0, 1, 2].backward()

    reached = np.abs(x.grad.numpy()).sum(axis=1) > 0
    assert reached[0].all()
    assert not reached[1].any()


def test_encoder_layers_begin_equal_but_learn_apart() -> None:
    first, second = LevelEncoder(8, hidden=4, num_layers=2).layers

    for own, other in zip(first.parameters(), second.parameters(), strict=True):
        assert own is not other
        np.testing.assert_array_equal(own.numpy(), other.numpy())


def test_features_keep_their_strides_and_pixels_have_stride_4() -> None:
    neck = HybridEncoder(
        in_channels=[4, 6, 8, 10],
        width=16,
        encoded_level=1,
        num_layers=1,
        encoder_hidden=8,
        csp_hidden=8,
        mask_channels=(6, 5),
        num_prototypes=7,
    )
    neck.eval()
    channels, sizes = (4, 6, 8, 10), [(16, 24), (8, 12), (4, 6), (2, 3)]

    features, pixels = neck(
        [paddle.randn([2, width, *size]) for width, size in zip(channels, sizes, strict=True)]
    )

    assert [feature.shape for feature in features] == [[2, 16, *size] for size in sizes[1:]]
    assert pixels.shape == [2, 5, 16, 24]
    assert neck.enc_mask_output[1](pixels).shape == [2, 7, 16, 24]
