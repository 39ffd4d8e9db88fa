"""segtune's side of a comparison.

answer_segtune.py BUNDLE THRESHOLD RUNTIME PRECISION
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stage_laps import Laps, answer

from segtune import __version__
from segtune.images import read_image
from segtune.processor import default_threads
from segtune.runtime_names import parse_precision, parse_runtime
from segtune.sources import open_predictor

NAMES = {"paddle": "oneDNN", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}


def open_engine(laps: Laps) -> tuple[str, Callable[[str], int]]:
    """Return what segtune runs, and a function that predicts a picture with its predictor."""
    bundle, threshold = sys.argv[1], float(sys.argv[2])
    runtime, precision = parse_runtime(sys.argv[3]), parse_precision(sys.argv[4])
    predictor = open_predictor(bundle, runtime=runtime, precision=precision)
    # Of both the predictor calls one method, and no more.
    preprocess: Any = SimpleNamespace(apply=laps.ending("preprocess", predictor.preprocess.apply))
    backend: Any = SimpleNamespace(run=laps.ending("network", predictor.backend.run))
    lapped = replace(predictor, preprocess=preprocess, backend=backend)
    read = laps.ending("read", read_image)

    def predict(path: str) -> int:
        (instances,) = lapped.predict([read(Path(path))], threshold=threshold)
        return len(instances)

    of_what = f"segtune {__version__}, {NAMES[runtime]} {precision}"
    return f"{of_what}, {default_threads()} threads", predict


if __name__ == "__main__":
    answer(open_engine)
