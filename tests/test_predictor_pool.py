from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.outputs import MaskFrame, Outputs
from segtune.predictor import Predictor
from segtune.predictor_pool import PredictorPool
from segtune.preprocess import PreprocessSpec


class Scores:
    """Finds the whole image; its score is the brightness. Waits for a partner, if it has one."""

    def __init__(self, partner: threading.Barrier | None = None, broken: bool = False) -> None:
        self.partner = partner
        self.broken = broken
        self.calls = 0

    def run(self, images: NDArray[np.float32], sizes_hw: NDArray[np.float32]) -> Outputs:
        self.calls += 1
        if self.partner is not None:
            self.partner.wait(timeout=10)
        if self.broken:
            raise RuntimeError("the device is gone")
        n = len(images)
        return Outputs(
            np.tile(np.array([0, 0, 32, 32], np.float32), (n, 1)),
            images.mean(axis=(1, 2, 3)).astype(np.float32),
            np.zeros(n, np.int64),
            np.full((n, 8, 8), 9, np.float32),
            np.ones(n, np.int32),
        )


def predictor(backend: Scores) -> Predictor:
    spec = PreprocessSpec(size_hw=(32, 32))
    return Predictor(backend, spec, Categories([(1, "all")]), MaskFrame.INPUT, "M")


def images(count: int) -> Iterator[NDArray[np.uint8]]:
    for index in range(count):
        yield np.full((20, 30, 3), 50 + 10 * index, np.uint8)


def test_results_come_in_order_and_both_devices_compute_at_once() -> None:
    together = threading.Barrier(2)
    backends = [Scores(together), Scores(together)]
    pool = PredictorPool([predictor(backend) for backend in backends])

    found = list(pool.predict(images(8), threshold=0.0, batch_size=2))

    expected = [(50 + 10 * index) / 255 for index in range(8)]
    np.testing.assert_allclose([float(each.scores[0]) for each in found], expected, atol=1e-6)
    assert [backend.calls for backend in backends] == [2, 2]


def test_a_pool_reads_no_more_than_its_workers_need() -> None:
    read = []

    def counted() -> Iterator[NDArray[np.uint8]]:
        for image in images(20):
            read.append(1)
            yield image

    pool = PredictorPool([predictor(Scores()), predictor(Scores())])
    stream = pool.predict(counted(), threshold=0.0, batch_size=1)
    next(stream)

    assert len(read) == 4
    stream.close()  # type: ignore[attr-defined]


def test_nothing_in_gives_nothing_out() -> None:
    assert list(PredictorPool([predictor(Scores())]).predict(iter([]))) == []


def test_an_error_of_one_worker_reaches_the_caller() -> None:
    pool = PredictorPool([predictor(Scores(broken=True))])

    with pytest.raises(RuntimeError, match="device is gone"):
        list(pool.predict(images(3)))
