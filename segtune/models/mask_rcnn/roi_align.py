"""Features of a fixed size for boxes of any size.

See https://arxiv.org/abs/1703.06870; which level of a pyramid serves a box is equation 1 of
https://arxiv.org/abs/1612.03144.

Shapes: N images, R boxes of all images, C channels, h x w feature map, s cells of a pooled side.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn
from paddle.vision.ops import roi_align

from segtune.models.box_ops import box_areas

_WHOLE_IMAGE_PX = 224  # a box of this side is served by the level at stride 16
_SIDES_PX = (_WHOLE_IMAGE_PX / 2, _WHOLE_IMAGE_PX, _WHOLE_IMAGE_PX * 2)  # where levels change
_MIN_SIDE_PX = 0.01
_MARGIN_PX = 1e-6 * _WHOLE_IMAGE_PX  # as upstream, in favour of the coarser level


class RoiAlign(nn.Layer):
    """Average of bilinear samples in s x s bins of a box, on the level that fits its size.

    Args:
        size: s.
        strides: Of the levels that serve boxes, four or one; levels behind them are not used.
        aligned: Whether cells are sampled at their centres. PaddleDetection's code of October
            2024 does not; its configurations and the training of the published weights did.
    """

    def __init__(self, size: int, strides: Sequence[int], *, aligned: bool = True) -> None:
        super().__init__()
        self._size = size
        self._strides = tuple(strides)
        self._aligned = aligned

    def forward(self, levels: Sequence[Tensor], boxes: Tensor, counts: Tensor) -> Tensor:
        """Return features (R, C, s, s).

        Args:
            levels: (N, C, h, w) each.
            boxes: (R, 4) with R above 0, xyxy in pixels of the network input, image after image.
            counts: Boxes of each image (N,), int32.
        """
        if len(self._strides) == 1:
            return self._pool(levels[0], boxes, counts, self._strides[0])
        last = paddle.shape(boxes)[:1].astype("int64")  # (1,), the number of a spare box
        padded = paddle.concat([boxes, paddle.zeros([1, 4])])
        level_of_box = _level_of(boxes)
        is_own = _is_own(counts, last)  # (N, R)
        pooled, order = [], []
        for number, (stride, level) in enumerate(zip(self._strides, levels, strict=False)):
            served = level_of_box == number  # (R,)
            # One box more, of the last image: no operator may see a level without boxes.
            rows = paddle.concat([paddle.nonzero(served).flatten(), last])
            served_counts = (is_own & served.unsqueeze(0)).astype("int32").sum(axis=1)
            served_counts = with_spare_box(served_counts.astype("int32"))
            pooled.append(self._pool(level, paddle.gather(padded, rows), served_counts, stride))
            order.append(rows)
        places = paddle.argsort(paddle.concat(order), stable=True)
        wanted = paddle.gather(places, paddle.arange(paddle.shape(boxes)[0]))
        return paddle.gather(paddle.concat(pooled), wanted)

    def _pool(self, level: Tensor, boxes: Tensor, counts: Tensor, stride: int) -> Tensor:
        return roi_align(
            level,
            _with_area(boxes),
            counts,
            self._size,
            spatial_scale=1 / stride,
            sampling_ratio=0,  # as many samples in a bin as it has cells
            aligned=self._aligned,
        )


def _with_area(boxes: Tensor) -> Tensor:
    """Return boxes (R, 4), a little wider and higher where they have no area.

    Of those Paddle's aligned operator gives not-a-number, and a gradient from nowhere.
    """
    least = boxes[:, :2] + _MIN_SIDE_PX
    return paddle.concat([boxes[:, :2], paddle.maximum(boxes[:, 2:], least)], axis=1)


def _level_of(boxes: Tensor) -> Tensor:
    """Return the number (R,) of the level that serves each box (R, 4), from 0."""
    sides = paddle.sqrt(box_areas(boxes).clip(min=0)) + _MARGIN_PX
    # Comparisons in place of the floor of a logarithm, which oneDNN computes in place.
    return sum((sides >= limit).astype("int64") for limit in _SIDES_PX)


def _is_own(counts: Tensor, num_boxes: Tensor) -> Tensor:
    """Return which boxes belong to which image, bool (N, R)."""
    ends = paddle.cumsum(counts.astype("int64"), axis=0).unsqueeze(1)  # (N, 1)
    boxes = paddle.arange(num_boxes[0]).unsqueeze(0)  # (1, R)
    return (boxes < ends) & (boxes >= ends - counts.astype("int64").unsqueeze(1))


def with_spare_box(counts: Tensor) -> Tensor:
    """Return counts (N,) int32 with one box more for the last image."""
    num_images = paddle.shape(counts)[0]
    return counts + (paddle.arange(num_images) == num_images - 1).astype("int32")
