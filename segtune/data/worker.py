"""A process that makes samples on request.

It is started as a plain Python interpreter, not by `multiprocessing`, which would import the
user's main program once more: that runs a script without a `__main__` guard again, and fails for
one that comes from standard input. Requests and answers are pickles on its standard input and
output. Both close when the parent ends, however it ends, and the worker with them.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2

from segtune.errors import DatasetError, SegtuneError

if TYPE_CHECKING:  # Albumentations takes a second to import; a worker does so behind its pipe.
    from segtune.data.coco import ImageRecord
    from segtune.data.dataset import Sample, SampleMaker
    from segtune.preprocess import PreprocessSpec

# The worker sees the modules that its parent sees, also those that the parent's program added.
_PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from segtune.data.worker import serve; serve()"
)
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Request:
    """The samples wanted: their records, with the index of each in the training set.

    `spec` says how all of them are resized.
    """

    epoch: int
    spec: PreprocessSpec
    records: tuple[tuple[int, ImageRecord], ...]


@dataclass(frozen=True)
class _Failure:
    """What went wrong in a worker: an error for the user, or the traceback of a bug."""

    error: SegtuneError | None
    report: str


class Worker:
    """The parent's end of one worker; it works on at most one request at a time."""

    def __init__(self, maker: SampleMaker) -> None:
        self._process = subprocess.Popen(
            # -I keeps out a module in the current folder that happens to be called like one of
            # Python's; -W keeps the warnings of libraries off the terminal.
            [sys.executable, "-I", "-W", "ignore", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C in the terminal is the parent's business
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._busy = False
        self._send(sys.path)
        self._send(maker)

    @property
    def pid(self) -> int:
        """The number that the operating system gave to the process."""
        return self._process.pid

    def ask(self, request: Request) -> None:
        """Let the worker begin on a request; the answer to one that nobody fetched is lost."""
        if self._busy:
            self._receive()
        self._send(request)
        self._busy = True

    def answer(self) -> list[Sample]:
        """Wait for the samples of the last request.

        Raises:
            SegtuneError: As raised in the worker.
            RuntimeError: A bug showed in the worker; the text has its traceback.
        """
        answer = self._receive()
        if not isinstance(answer, _Failure):
            samples: list[Sample] = answer
            return samples
        if answer.error is not None:
            raise answer.error
        raise RuntimeError(f"a loader process failed\n{answer.report}")

    def stop(self) -> None:
        """End the process, whatever it is doing; more than once does no harm."""
        with suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: object) -> None:
        try:
            pickle.dump(message, self._requests, protocol=pickle.HIGHEST_PROTOCOL)
            self._requests.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        except BaseException:
            self.stop()  # half a request would spoil all that follow
            raise

    def _receive(self) -> Any:
        try:
            answer = pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError) as error:
            raise self._ended() from error
        except BaseException:
            self.stop()  # the rest of a half-read answer would be taken for the next one
            raise
        self._busy = False
        return answer

    def _ended(self) -> DatasetError:
        self.stop()
        status = self._process.returncode
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return DatasetError(
            f"a loader process ended with {how}",
            remedy="if memory ran out, use fewer data.workers or smaller images",
        )


def serve() -> None:
    """Answer requests until the parent closes the pipe; the main function of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    cv2.setNumThreads(0)
    requests = sys.stdin.buffer
    with suppress(EOFError, pickle.UnpicklingError, BrokenPipeError):  # the parent is gone
        maker: SampleMaker = pickle.load(requests)
        while True:
            answer = _answer_to(maker, pickle.load(requests))
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()
    # Without the interpreter's shutdown, which would complain of the pipe that is closed.
    os._exit(0)


def make_samples(maker: SampleMaker, request: Request) -> list[Sample]:
    """Return one sample for each record of a request.

    Raises:
        SegtuneError: An image or its annotation cannot be used.
        RuntimeError: A bug showed; the text names the image.
    """
    samples = []
    for index, record in request.records:
        try:
            samples.append(maker.make(record, index, request.epoch, request.spec))
        except SegtuneError:
            raise
        except Exception as error:
            raise RuntimeError(f"cannot make a training sample of {record.path}") from error
    return samples


def _answer_to(maker: SampleMaker, request: Request) -> list[Sample] | _Failure:
    try:
        return make_samples(maker, request)
    except SegtuneError as error:
        return _Failure(error, "")
    except RuntimeError:
        return _Failure(None, traceback.format_exc())
