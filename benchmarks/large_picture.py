"""Peak memory of predicting a drawn picture of 20,000 x 20,000 px by tiles.

    python -m benchmarks.large_picture [--side 20000] [--model RUN_OR_BUNDLE]

Without a model, patches of colour are found as the tests find them, and every one is checked
against where it was drawn; the figure is then that of reading, joining and keeping masks.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from segtune.inputs import expand
from segtune.predictions import Predictions
from segtune.predictor import InstancePredictor
from segtune.tiles import Tiling
from tests.finding import BLUE, GREEN, RED, ColourFinder

CELL = 1250  # pixels of the picture around each patch


def draw(path: Path, side: int) -> list[list[int]]:
    """Write a JPEG with one patch a cell, from small to longer than a tile; return the boxes."""
    import pyvips

    generator = np.random.default_rng(0)
    image = pyvips.Image.black(side, side, bands=3) + 128
    boxes = []
    rows = []
    for top in range(0, side, CELL):
        strip = np.full((min(CELL, side - top), side, 3), 128, np.uint8)
        for left in range(0, side, CELL):
            width, height = generator.integers(40, 1200, 2).tolist()
            x, y = left + 24, 24
            if left + CELL <= side and top + CELL <= side:
                strip[y : y + height, x : x + width] = (RED, BLUE, GREEN)[len(boxes) % 3]
                boxes.append([x, top + y, x + width, top + y + height])
        rows.append(strip)
    image = pyvips.Image.arrayjoin(
        [pyvips.Image.new_from_memory(s.data, side, len(s), 3, "uchar") for s in rows], across=1
    )
    image.copy(interpretation="srgb").write_to_file(str(path), Q=90)
    return boxes


def main() -> None:
    """Draw, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        # In a process of its own, so that its memory does not count.
        with ProcessPoolExecutor(1, get_context("spawn")) as other:
            boxes = other.submit(draw, path, options.side).result()
        predictor: InstancePredictor = ColourFinder()
        if options.model:
            from segtune import open_predictor

            predictor = open_predictor(options.model)
        began = time.monotonic()
        stream = Predictions(predictor, expand(path), threshold=0.2, batch_size=4, tiling=Tiling())
        [result] = stream
        drawn = result.draw()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{result.instances.size_hw} px, {len(result.instances)} instances, "
        f"{time.monotonic() - began:.0f} s, overlay {drawn.shape}, peak {peak_mb:.0f} MB"
    )
    if boxes and not options.model:
        found = np.asarray(sorted(result.instances.boxes.tolist()))
        worst = np.abs(found - np.asarray(sorted(boxes))).max()
        print(f"{len(boxes)} drawn; worst difference of a box side {worst:.0f} px")


if __name__ == "__main__":
    main()
