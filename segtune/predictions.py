"""A stream of things to read becomes a stream of results, in order, whatever fails on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segtune.errors import RecipeError, SegtuneError
from segtune.inputs import ImageInput
from segtune.instances import Instances
from segtune.pictures import Picture
from segtune.predictor import InstancePredictor
from segtune.result import MASK_FORMS, MaskForm, Result
from segtune.scans import MAX_SHOWN_SIDE
from segtune.tiles import Tiling, predict_tiled

OnError = Literal["raise", "skip"]
ON_ERROR: tuple[OnError, ...] = ("raise", "skip")


@dataclass(frozen=True)
class Failure:
    """One thing that could not be read, or not to its end."""

    place: str
    error: SegtuneError


class Predictions(Iterator[Result]):
    """Results of a stream, computed as they are asked for.

    Pictures are read one batch at a time. With `on_error="raise"`, the first thing that cannot be
    read raises after the results of all before it; with `skip`, all others are predicted.

    Attributes:
        failed: What could not be read so far; complete when the iteration has ended.

    Args:
        predictor: Finds the instances.
        inputs: Drawn from as their turn comes.
        threshold: Scores must be above this.
        batch_size: Pictures, or with `tiling` tiles, that go through the network together.
        mask_form: As `Result` takes it.
        on_error: `raise` or `skip`.
        tiling: How to cut pictures; None takes each as a whole.
        on_failure: Told at once about what cannot be read.
    """

    def __init__(
        self,
        predictor: InstancePredictor,
        inputs: Iterable[ImageInput],
        *,
        threshold: float = 0.5,
        batch_size: int = 1,
        mask_form: MaskForm = "cropped",
        on_error: OnError = "raise",
        tiling: Tiling | None = None,
        on_failure: Callable[[Failure], None] | None = None,
    ) -> None:
        _check_settings(threshold, batch_size, mask_form, on_error)
        self.failed: list[Failure] = []
        self._number = 0  # of pictures and failures so far
        self._predictor = predictor
        self._inputs = inputs
        self._threshold = threshold
        self._batch_size = batch_size
        self._mask_form = mask_form
        self._on_error = on_error
        self._on_failure = on_failure
        self._results = self._whole() if tiling is None else self._tiled(tiling)

    def __next__(self) -> Result:
        return next(self._results)

    def close(self) -> None:
        """End the iteration, and close a video or camera that is open."""
        self._results.close()

    def _whole(self) -> Generator[Result, None, None]:
        waiting: deque[tuple[int, ImageInput, Picture]] = deque()

        def images() -> Iterator[NDArray[np.uint8]]:
            for given in self._inputs:
                try:
                    for picture in given.pictures():
                        self._number += 1
                        waiting.append((self._number, given, picture))
                        yield picture.image
                except SegtuneError as error:
                    if self._fail(given, error):
                        return

        found = self._predictor.predict(
            images(), threshold=self._threshold, batch_size=self._batch_size
        )
        for instances in found:
            yield self._result(*waiting.popleft(), instances)
        self._raise_failure()

    def _tiled(self, tiling: Tiling) -> Generator[Result, None, None]:
        for given in self._inputs:
            try:
                for scan in given.scans():
                    instances = predict_tiled(
                        self._predictor,
                        scan,
                        tiling,
                        threshold=self._threshold,
                        batch_size=self._batch_size,
                    )
                    self._number += 1
                    picture = scan.reduced(MAX_SHOWN_SIDE)
                    yield self._result(self._number, given, picture, instances)
            except SegtuneError as error:
                if self._fail(given, error):
                    break
        self._raise_failure()

    def _result(
        self, number: int, given: ImageInput, picture: Picture, instances: Instances
    ) -> Result:
        index = picture.frame_index if picture.page_index is None else picture.page_index
        return Result(
            image=picture.image,
            instances=instances,
            categories=self._predictor.categories,
            mask_form=self._mask_form,
            input_path=given.place if given.content is None else None,
            name=given.result_name if index is None else f"{given.result_name}_{index}",
            page_index=picture.page_index,
            frame_index=picture.frame_index,
            time_s=picture.time_s,
            number=number,
        )

    def _fail(self, given: ImageInput, error: SegtuneError) -> bool:
        """Write a failure down, and return whether the stream ends with it."""
        self._number += 1
        failure = Failure(given.place, error)
        self.failed.append(failure)
        if self._on_failure is not None:
            self._on_failure(failure)
        return self._on_error == "raise"

    def _raise_failure(self) -> None:
        if self._on_error == "raise" and self.failed:
            raise self.failed[0].error


def _check_settings(
    threshold: float, batch_size: int, mask_form: MaskForm, on_error: OnError
) -> None:
    """Raise RecipeError for what no prediction can be made with, before anything is read."""
    if not 0 <= threshold <= 1:
        raise _unusable("threshold", threshold, "a number from 0 to 1")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise _unusable("batch_size", batch_size, "a whole number from 1 on")
    if mask_form not in MASK_FORMS:
        raise _unusable("mask_form", mask_form, f"one of {', '.join(MASK_FORMS)}")
    if on_error not in ON_ERROR:
        raise _unusable("on_error", on_error, f"one of {', '.join(ON_ERROR)}")


def _unusable(name: str, value: object, wanted: str) -> RecipeError:
    return RecipeError(f"{name} cannot be {value!r}", where=name, remedy=f"give {wanted}")
