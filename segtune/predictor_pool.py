"""One predictor a device, which share the images of one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from segtune.categories import Categories
from segtune.instances import Instances
from segtune.predictor import Predictor

_AHEAD = 2  # batches a worker: one that it computes, and one that waits for it


class PredictorPool:
    """Predicts with several predictors of one model, a thread each.

    A batch goes to whichever is free. Results come in the order of the images; no more than two
    batches a predictor are in memory.

    Args:
        predictors: Of the same model, each on a device of its own.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        if not predictors:
            raise ValueError("a pool of no predictors predicts nothing")
        self.predictors = tuple(predictors)

    @property
    def categories(self) -> Categories:
        """The classes, by label."""
        return self.predictors[0].categories

    @property
    def model_name(self) -> str:
        """A name of the zoo."""
        return self.predictors[0].model_name

    def predict(
        self, images: Iterable[NDArray[np.uint8]], *, threshold: float = 0.5, batch_size: int = 1
    ) -> Iterator[Instances]:
        """Yield the instances of each RGB image (H, W, 3), in order, as `Predictor` does.

        Args:
            images: Drawn from in the caller's thread, `batch_size` at a time.
            threshold: Scores must be above this.
            batch_size: How many images may go through one network together, at least 1.
        """
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} images holds none")
        free: SimpleQueue[Predictor] = SimpleQueue()
        for predictor in self.predictors:
            free.put(predictor)

        def run(batch: list[NDArray[np.uint8]]) -> list[Instances]:
            predictor = free.get()
            try:
                return list(predictor.predict(batch, threshold=threshold, batch_size=batch_size))
            finally:
                free.put(predictor)

        stream = iter(images)
        under_way: deque[Future[list[Instances]]] = deque()
        workers = ThreadPoolExecutor(len(self.predictors), thread_name_prefix="segtune")
        try:
            while True:
                while len(under_way) < _AHEAD * len(self.predictors):
                    batch = list(islice(stream, batch_size))
                    if not batch:
                        break
                    under_way.append(workers.submit(run, batch))
                if not under_way:
                    return
                yield from under_way.popleft().result()
        finally:
            workers.shutdown(cancel_futures=True)
