from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F

from segtune.models.mask_rt_detr.row_sums import FACTORS, row_sums, summed_softplus


def test_rows_are_summed_each() -> None:
    assert row_sums(paddle.to_tensor([[1.0, 2, 4], [0, -1, 1]])).tolist() == [[7], [0]]


def test_softplus_of_large_small_and_ordinary_logits_is_summed() -> None:
    logits = paddle.to_tensor(
        [[0.0] * FACTORS * 2, [100.0] * FACTORS * 2, [-100.0] * FACTORS * 2, [3.0, -3] * FACTORS]
    )

    sums = summed_softplus(logits, F.sigmoid(logits)).flatten()

    expected = FACTORS * np.asarray([2 * np.log(2), 200, 0, 2 * np.log1p(np.exp(-3)) + 3])
    np.testing.assert_allclose(sums.numpy(), expected, rtol=1e-6)
