from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from segtune.models.conv_norm import fused_copy
from segtune.models.rep_vgg import RepVggBlock
from tests.models.labelled import randomise


@pytest.mark.parametrize(
    ("alpha", "factor"),
    [
        pytest.param(None, 1.0, id="without a factor the side branch counts in full"),
        pytest.param(0.5, 0.5, id="a positive factor scales"),
        pytest.param(0.0, 1.0, id="zero counts in full, as upstream"),
        pytest.param(-0.5, 1.0, id="a negative factor counts in full, as upstream"),
    ],
)
def test_alpha_scales_the_side_branch_while_positive_also_after_fusion(
    alpha: float | None, factor: float
) -> None:
    paddle.seed(0)
    block = RepVggBlock(4, weighted=alpha is not None)
    randomise(block, seed=0)
    block.eval()
    if alpha is not None:
        block.alpha.set_value(paddle.to_tensor([alpha]))
    x = paddle.randn([1, 4, 5, 6])

    expected = F.silu(block.conv1(x) + factor * block.conv2(x)).numpy()
    fused = fused_copy(nn.Sequential(block))

    np.testing.assert_allclose(block(x).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(fused(x).numpy(), expected, atol=1e-5)
    assert sorted(fused.state_dict()) == ["0.conv.bias", "0.conv.weight"]
