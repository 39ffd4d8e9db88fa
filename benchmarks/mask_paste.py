"""Time and memory of laying masks into their boxes, beside the reference's formula.

    python benchmarks/mask_paste.py
    python benchmarks/mask_paste.py --repeats 1 --output /tmp/paste.csv   # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import (
    RESULTS,
    Row,
    peak_memory_mb,
    present_memory_mb,
    print_markdown,
    run_apart,
    spread_ms,
    surroundings,
    write_csv,
)
from numpy.typing import NDArray

from segtune import processor
from segtune.instances import Instances
from segtune.masks import decode
from segtune.outputs import MaskFrame, Outputs
from segtune.postprocess import instances_of
from segtune.preprocess import Geometry

CASES = {"640 x 480": (480, 640, 100), "4000 x 3000": (3000, 4000, 5)}
FORMS = ("segtune", "reference")
NUM_CELLS = 28
COLUMNS = {
    "photograph": "image",
    "masks": "instances",
    "form": "form",
    "median (ms)": "median_ms",
    "10 %": "p10_ms",
    "90 %": "p90_ms",
    "added peak memory (MB)": "added_memory_mb",
    "differing pixels": "differing_pixels",
}


def draw_rows(image: str) -> Outputs:
    """Return detections of one photograph: ragged ellipses in boxes of 5 to 40 % of a side."""
    height, width, count = CASES[image]
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.1, 0.9, (count, 2)) * [width, height]
    halves = rng.uniform(0.025, 0.2, (count, 2)) * [width, height]
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    boxes = boxes.clip(0, [width, height, width, height]).astype(np.float32)
    axis = np.linspace(-1, 1, NUM_CELLS)
    blob = 6 * (0.9 - axis**2 - axis[:, None] ** 2)
    logits = blob + rng.standard_normal((count, NUM_CELLS, NUM_CELLS))
    scores = np.linspace(1, 0.5, count, dtype=np.float32)
    labels, counts = np.arange(count, dtype=np.int64), np.array([count], np.int32)
    return Outputs(boxes, scores, labels, logits.astype(np.float32), counts)


def prepare_segtune(image: str) -> Callable[[], Instances]:
    """Return what is timed: logits to run lengths."""
    rows, size_hw = draw_rows(image), CASES[image][:2]
    geometry = Geometry(size_hw, size_hw, size_hw)
    return lambda: instances_of(rows, geometry, mask_frame=MaskFrame.BOX)


def prepare_reference(image: str) -> Callable[[], NDArray[np.bool_]]:
    """Return what is timed: logits to a bitmap of the whole photograph for every mask."""
    rows = draw_rows(image)
    return lambda: paste_as_reference(rows, image)


def paste_as_reference(rows: Outputs, image: str) -> NDArray[np.bool_]:
    """Return masks (n, H, W): every map is sampled at every pixel of the photograph.

    The formula of PaddleDetection's mask post-process, in Paddle.
    """
    import paddle
    import paddle.nn.functional as F

    height, width, _ = CASES[image]
    x1, y1, x2, y2 = (
        side.unsqueeze(1) for side in paddle.unstack(paddle.to_tensor(rows.boxes), axis=1)
    )
    columns = (paddle.arange(width, dtype="float32") + 0.5 - x1) / (x2 - x1) * 2 - 1  # (n, W)
    lines = (paddle.arange(height, dtype="float32") + 0.5 - y1) / (y2 - y1) * 2 - 1  # (n, H)
    grid_hw = [len(rows.boxes), height, width]
    grid = paddle.stack(
        [columns.unsqueeze(1).expand(grid_hw), lines.unsqueeze(2).expand(grid_hw)], axis=3
    )
    maps = F.sigmoid(paddle.to_tensor(rows.mask_logits)).unsqueeze(1)
    values = F.grid_sample(maps, grid, align_corners=False)
    return np.asarray((values >= 0.5).squeeze(1).numpy())


def measure(form: str, image: str, repeats: int) -> Row:
    """Return time and memory of one form; this process does nothing else."""
    if form == "reference":
        processor.import_paddle_quietly()
    paste: Callable[[], object] = (
        prepare_segtune(image) if form == "segtune" else prepare_reference(image)
    )
    before_mb, seconds = present_memory_mb(), []
    for _ in range(1 + repeats):  # the first one warms up, but for memory
        start = time.perf_counter()
        paste()
        seconds.append(time.perf_counter() - start)
    return {**spread_ms(seconds[1:]), "added_memory_mb": max(peak_memory_mb() - before_mb, 0)}


def count_differing(image: str) -> Row:
    """Return how many pixels of all masks the two forms see differently."""
    processor.import_paddle_quietly()
    pairs = zip(prepare_segtune(image)().rles, prepare_reference(image)(), strict=True)
    return {"differing_pixels": sum(int((decode(rle) != other).sum()) for rle, other in pairs)}


def main() -> None:
    """Measure both forms on both photographs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "mask_paste.csv")
    parser.add_argument("--task", nargs=2, help="FORM or compare, and IMAGE: print JSON")
    options = parser.parse_args()
    if options.task:
        form, image = options.task
        compared = form == "compare"
        row = count_differing(image) if compared else measure(form, image, options.repeats)
        print(json.dumps(row))
        return
    rows = []
    for image, (_, _, count) in CASES.items():
        compared = run_apart([__file__, "--task", "compare", image])
        for form in FORMS:
            measured = run_apart([__file__, *sys.argv[1:], "--task", form, image])
            rows.append(
                {"image": image, "instances": count, "form": form, **measured, **compared}
                | surroundings("paddlepaddle", "numpy", "pycocotools")
            )
    write_csv(options.output, rows)
    print_markdown(rows, COLUMNS)


if __name__ == "__main__":
    main()
