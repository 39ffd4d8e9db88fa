from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.outputs import MaskFrame, Outputs
from segtune.predictor import Predictor
from segtune.preprocess import PreprocessSpec


class BrightnessBackend:
    """Finds, in each image, one instance per tenth of brightness; remembers its batch shapes."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.sizes_hw: list[list[list[float]]] = []

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        self.shapes.append(images.shape)
        self.sizes_hw.append(sizes_hw.tolist())
        height, width = images.shape[2:]
        counts = np.rint(images.mean(axis=(1, 2, 3)) * 10).astype(np.int32)
        total = int(counts.sum())
        scores = np.concatenate([np.arange(count) / 10 for count in counts] or [[]])
        return Outputs(
            np.tile(np.asarray([0, 0, width, height], np.float32), (total, 1)),
            scores.astype(np.float32),
            np.zeros(total, np.int64),
            np.full((total, height // 4, width // 4), 5, np.float32),
            counts,
        )


def predictor_of(backend: BrightnessBackend, spec: PreprocessSpec) -> Predictor:
    return Predictor(backend, spec, Categories([(1, "lamp")]), MaskFrame.INPUT, "PP-YOLOE_seg-S")


def grey(tenths: int, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full((*size_hw, 3), round(tenths * 25.5), np.uint8)


STRETCH = PreprocessSpec(size_hw=(16, 16))
KEEP_RATIO = PreprocessSpec(size_hw=(16, 32), keep_ratio=True, pad_stride=8)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_results_are_in_order_whatever_the_batch_size(batch_size: int) -> None:
    images = [grey(tenths, (10 + tenths, 20)) for tenths in (2, 0, 5, 1, 3)]

    results = list(
        predictor_of(BrightnessBackend(), STRETCH).predict(
            images, threshold=-1, batch_size=batch_size
        )
    )

    assert [len(result) for result in results] == [2, 0, 5, 1, 3]
    assert [result.size_hw for result in results] == [image.shape[:2] for image in images]
    assert all(np.all(np.diff(result.scores) <= 0) for result in results)


def test_inputs_of_unlike_size_are_not_stacked() -> None:
    backend = BrightnessBackend()
    images = [grey(1, size) for size in ((16, 16), (32, 32), (16, 32), (16, 16))]

    results = list(predictor_of(backend, KEEP_RATIO).predict(images, threshold=-1, batch_size=4))

    assert backend.shapes == [(2, 3, 16, 16), (1, 3, 16, 32), (1, 3, 16, 16)]
    assert [result.size_hw for result in results] == [(16, 16), (32, 32), (16, 32), (16, 16)]


def test_the_network_is_told_the_sizes_of_the_images_without_padding() -> None:
    backend = BrightnessBackend()
    images = [grey(1, size) for size in ((32, 40), (64, 72), (16, 16))]

    list(predictor_of(backend, KEEP_RATIO).predict(images, batch_size=3))

    assert backend.shapes == [(2, 3, 16, 24), (1, 3, 16, 16)]
    assert backend.sizes_hw == [[[16, 20], [16, 18]], [[16, 16]]]


def test_images_are_drawn_one_batch_at_a_time() -> None:
    drawn: list[int] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        for number in range(5):
            drawn.append(number)
            yield grey(1, (8, 8))

    results = predictor_of(BrightnessBackend(), STRETCH).predict(images(), batch_size=2)

    assert drawn == []
    next(results)
    assert drawn == [0, 1]


def test_scores_at_or_below_the_threshold_are_left_out() -> None:
    predictor = predictor_of(BrightnessBackend(), STRETCH)

    (result,) = predictor.predict([grey(8, (8, 8))], threshold=0.5)

    np.testing.assert_allclose(result.scores, [0.7, 0.6])


def test_no_images_give_no_results_and_never_run_the_network() -> None:
    backend = BrightnessBackend()

    assert list(predictor_of(backend, STRETCH).predict([])) == []
    assert backend.shapes == []


def test_a_batch_holds_at_least_one_image() -> None:
    with pytest.raises(ValueError, match="a batch of 0 images"):
        list(predictor_of(BrightnessBackend(), STRETCH).predict([], batch_size=0))
