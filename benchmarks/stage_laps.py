"""The stages of one prediction after the other, timed inside the process that predicts.

It answers requests over pipes. Nothing but the standard library is imported, since the other side
of a comparison runs in an environment without segtune.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("read", "preprocess", "network", "postprocess")
VERSIONED_MODULES = ("paddle", "onnxruntime", "openvino", "numpy", "cv2")


class Laps:
    """Times of the stages of a prediction, each from the end of the one before it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """Start the clock of the first stage."""
        self.seconds = {}
        self._since = time.perf_counter()

    def end(self, stage: str) -> None:
        """Keep the time of a stage, and start the clock of the next one."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._since
        self._since = now

    def ending(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, and ends a stage where it returns."""

        def lapped(*arguments: Any) -> Any:
            result = function(*arguments)
            self.end(stage)
            return result

        return lapped


def answer(open_engine: Callable[[Laps], tuple[str, Callable[[str], int]]]) -> None:
    """Predict every picture whose path comes in, and answer with its times in one line of JSON.

    The first line says what engine there is.

    Args:
        open_engine: Returns a description of the engine and a function that predicts the picture
            of a path and returns its number of instances; it ends all stages but the last.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)  # what libraries print goes elsewhere
        laps = Laps()
        engine, predict = open_engine(laps)
        versions = {name: version_of(name) for name in VERSIONED_MODULES}
        print(json.dumps({"engine": engine, "versions": versions}), file=answers)
        for line in sys.stdin:
            laps.begin()
            instances = predict(line.strip())
            laps.end(STAGES[-1])
            memory = {"peak_memory_mb": peak_memory_mb()}
            print(json.dumps({**laps.seconds, "instances": instances, **memory}), file=answers)


def version_of(module: str) -> str:
    """Return the version of a module, empty where the engine has not imported it."""
    return str(sys.modules[module].__version__) if module in sys.modules else ""


def peak_memory_mb() -> int:
    """Return the most resident memory that Linux has seen of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) // 1024
