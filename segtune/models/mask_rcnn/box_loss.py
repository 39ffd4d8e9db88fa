"""How far predicted deltas are from those that lead to the wanted boxes.

Shapes: ... any leading axes.
"""

from __future__ import annotations

import paddle
from paddle import Tensor

from segtune.models.mask_rcnn.box_coder import Weights, encode

_UNIT_BOX = (0.0, 0.0, 1.0, 1.0)


def summed_l1(
    deltas: Tensor, boxes: Tensor, wanted: Tensor, learns: Tensor, weights: Weights
) -> Tensor:
    """Return the sum of the absolute differences of deltas over the rows that learn.

    Args:
        deltas: Predicted, (..., 4).
        boxes: What they start from, (..., 4), with area where a row learns.
        wanted: What they are to lead to, (..., 4), with area where a row learns.
        learns: Bool (...).
        weights: Of the deltas.
    """
    # Other rows may be without area, and would give infinite deltas.
    unit = paddle.to_tensor(_UNIT_BOX)
    learns = learns.unsqueeze(-1)
    boxes, wanted = (paddle.where(learns, rows, unit) for rows in (boxes, wanted))
    terms = (deltas - encode(boxes, wanted, weights)).abs()
    return (terms * learns.astype(terms.dtype)).sum()
