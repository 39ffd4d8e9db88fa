"""The phases of a training step, timed from inside.

A phase ends where a method of the step is called or returns. Most of these methods every network
has; where a network has answered and its losses begin, each family says in SEAMS.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machine import peak_memory_mb

if TYPE_CHECKING:
    from segtune.training.loop import TrainingState

PHASES = ("batch to tensors", "forward", "losses", "backward", "optimizer", "averages")


@dataclass(frozen=True)
class Seam:
    """A method that ends a phase: `before` where it is called, `after` where it returns."""

    owner: str  # attributes from the training state on, with dots between them
    method: str
    before: str = ""
    after: str = ""


STEP_SEAMS = (
    Seam("network", "losses", before="batch to tensors", after="losses"),
    Seam("optimizer", "step", before="backward"),
    Seam("ema", "update", before="optimizer", after="averages"),
)
# A phase may be come back to; what belongs to it is added up.
FAMILY_SEAMS = {
    "PP-YOLOE_seg": (Seam("network.yolo_head", "raw", after="forward"),),
    "Mask-RT-DETR": (Seam("network.transformer", "every_layer", after="forward"),),
    "Mask R-CNN": (
        Seam("network.bbox_head", "sample", before="forward", after="losses"),
        Seam("network.rpn_head", "losses", before="forward", after="losses"),
        Seam("network.bbox_head", "_scores", before="losses", after="forward"),
    ),
}


class Phases:
    """Times the phases of every step that is taken with a training state.

    Attributes:
        seconds: Of every step, by phase.
        peaks: Most resident memory of the process in MB up to the last end of a phase in the first
            step; Paddle keeps the memory that it has once taken, so that later steps would not
            tell them apart.
    """

    def __init__(self, state: TrainingState, family: str) -> None:
        self.seconds: dict[str, list[float]] = {phase: [] for phase in PHASES}
        self.peaks: dict[str, int] = {}
        for seam in (*STEP_SEAMS, *FAMILY_SEAMS[family]):
            self._watch(state, seam)

    def begin_step(self) -> None:
        """Start the clock of the first phase."""
        for times in self.seconds.values():
            times.append(0.0)
        self._since = time.perf_counter()

    def _end(self, phase: str) -> None:
        """Keep time and memory of a phase, and start the clock of the next one."""
        times = self.seconds[phase]
        times[-1] += time.perf_counter() - self._since
        if len(times) == 1:
            self.peaks[phase] = peak_memory_mb()
        self._since = time.perf_counter()

    def _watch(self, state: TrainingState, seam: Seam) -> None:
        owner: Any = state
        for name in seam.owner.split("."):
            owner = getattr(owner, name)
        method = getattr(owner, seam.method)

        def watched(*arguments: Any) -> Any:
            if seam.before:
                self._end(seam.before)
            result = method(*arguments)
            if seam.after:
                self._end(seam.after)
            return result

        setattr(owner, seam.method, watched)
