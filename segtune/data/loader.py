"""Batches of a training set in a shuffled order that seed and epoch alone decide."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from segtune.data.collate import Batch, collate
from segtune.data.dataset import Sample, TrainingSet
from segtune.data.worker import Request, Worker, make_samples
from segtune.errors import DatasetError


class BatchLoader:
    """Batches of an epoch, from any step on, made in processes that live as long as the loader.

    A last batch that is not full is left out, unless it is the only one. Every worker works one
    batch ahead. Close the loader, or use it as a context manager, to end them.

    Args:
        training_set: Where samples come from.
        batch_size: Images in a batch.
        seed: Decides the order, together with the epoch.
        workers: Number of processes; 0 makes samples in this one. Batches do not depend on it.

    Raises:
        DatasetError: There is no image.
    """

    def __init__(
        self, training_set: TrainingSet, *, batch_size: int, seed: int, workers: int
    ) -> None:
        if len(training_set) == 0:
            raise DatasetError("the training split has no images", remedy="add some")
        self._set = training_set
        self._batch_size = batch_size
        self._seed = seed
        self._workers = [Worker(training_set.maker) for _ in range(workers)]
        self._epochs_begun = 0
        # Also when nobody closes the loader: at the end of the program at the latest.
        self._stop_workers = weakref.finalize(self, _stop, self._workers)

    def __enter__(self) -> BatchLoader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch, at least one."""
        return max(1, len(self._set) // self._batch_size)

    @property
    def worker_pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """End the workers; more than once does no harm."""
        self._stop_workers()

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from `first_step` on, without making those before it.

        Beginning an epoch ends any that is not finished.

        Raises:
            SegtuneError: An image or its annotation cannot be used, or a worker died.
        """
        self._epochs_begun += 1
        requests = [
            Request(
                epoch,
                self._set.batch_spec(epoch, step),
                tuple((int(index), self._set.records[index]) for index in indices),
            )
            for step, indices in enumerate(self._batches(epoch)[first_step:], first_step)
        ]
        if self._workers:
            made = self._made_by_workers(requests)
        else:
            made = (make_samples(self._set.maker, request) for request in requests)
        for request, samples in zip(requests, made, strict=True):
            yield collate(samples, request.spec)

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the indices of each batch of an epoch."""
        order_seed = np.random.SeedSequence(self._seed, spawn_key=(epoch,))
        order = np.random.default_rng(order_seed).permutation(len(self._set))
        starts = range(0, self.steps_per_epoch * self._batch_size, self._batch_size)
        return [order[start : start + self._batch_size] for start in starts]

    def _made_by_workers(self, requests: list[Request]) -> Iterator[list[Sample]]:
        """Yield the answers to requests in their order; workers take them in turns."""
        this_epoch = self._epochs_begun
        waiting = iter(requests)
        at_work: deque[Worker] = deque()
        for worker, request in zip(self._workers, waiting, strict=False):
            worker.ask(request)
            at_work.append(worker)
        while at_work:
            if self._epochs_begun != this_epoch:
                raise RuntimeError("another epoch was begun on this loader")
            worker = at_work.popleft()
            samples = worker.answer()
            following = next(waiting, None)
            if following is not None:
                worker.ask(following)
                at_work.append(worker)
            yield samples


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()
