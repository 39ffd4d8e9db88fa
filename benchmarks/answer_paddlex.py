"""PaddleX's side of a comparison; executed by the interpreter of .venv-peers.

answer_paddlex.py PIPELINE_YAML THRESHOLD
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from stage_laps import Laps, answer


def open_engine(laps: Laps) -> tuple[str, Callable[[str], int]]:
    """Return what PaddleX runs, and a function that predicts a picture with its pipeline."""
    from paddlex import __version__, create_pipeline

    pipeline = create_pipeline(pipeline=sys.argv[1])
    threshold = float(sys.argv[2])
    model = pipeline._pipeline.instance_segmentation_model
    read, *between, to_batch = model.pre_ops
    model.pre_ops = [
        laps.ending("read", read),
        *between,
        laps.ending("preprocess", to_batch),
    ]
    config = model.runner._config
    model.runner = laps.ending("network", model.runner)

    def predict(path: str) -> int:
        (result,) = pipeline.predict(path, threshold=threshold)
        return len(result["boxes"])

    run_mode = config["run_mode"]
    return f"PaddleX {__version__}, {run_mode}, {config['cpu_threads']} threads", predict


if __name__ == "__main__":
    answer(open_engine)
