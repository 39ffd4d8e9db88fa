"""Kill a training run at random moments and show that it ends as if nothing had happened.

Method: train a small drawn dataset undisturbed. Train it again, and end the process by SIGKILL
after a random time, so many times as asked, each time continuing with `segtune train --resume`.
Then let it end, and compare every tensor of both runs, bit for bit.

    python benchmarks/kill_and_resume.py --kills 20 --work /tmp/kills
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from segtune.scenes import draw_dataset

SEGTUNE = [str(Path(sys.executable).with_name("segtune"))]
SETTINGS = ["epochs=8", "image_size=[96,96]", "batch_size=4", "evaluate.every_epochs=2"]


def main() -> None:
    """Run both trainings and write the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    data = draw_dataset(options.work / "data", num_images=20, size_hw=(160, 160))
    begin = [*SEGTUNE, "train", "--recipe", "pp_yoloe_seg_s_scratch", "--data", str(data)]
    begin += ["--set", "tracking.enabled=false"]
    for setting in SETTINGS:
        begin += ["--set", setting]

    started = time.monotonic()
    straight = options.work / "straight"
    _to_the_end([*begin, "--runs", str(straight)])
    whole_s = time.monotonic() - started
    killed = options.work / "killed"
    kills = _kill_again_and_again(
        [*begin, "--runs", str(killed)], killed, options.kills, whole_s, random.Random(options.seed)
    )
    differing = _differences(next(straight.iterdir()), next(killed.iterdir()))
    outcome = {
        "kills": len(kills),
        "killed_after_s": kills,
        "undisturbed_run_s": round(whole_s, 1),
        "differing_tensors": differing,
    }
    print(json.dumps(outcome, indent=2))
    if differing:
        raise SystemExit(1)


def _kill_again_and_again(
    begin: list[str], runs: Path, kills: int, whole_s: float, generator: random.Random
) -> list[float]:
    """Kill the run `kills` times, then let it end; return after how many seconds each came."""
    done = []
    while len(done) < kills:
        after_s = round(generator.uniform(0.05, 0.6) * whole_s, 2)
        process = subprocess.Popen(_command(begin, runs), stderr=subprocess.DEVNULL)
        try:
            status = process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done.append(after_s)
            continue
        if status != 0:
            raise SystemExit(f"resume {len(done)} failed with status {status}")
        if len(done) < kills:  # it ended before the kill: begin another run
            _retire(runs)
    result = next(runs.iterdir()) / "train_result.json"
    if not result.exists():
        _to_the_end(_command(begin, runs))
    return done


def _command(begin: list[str], runs: Path) -> list[str]:
    """Return the command that begins the run, or continues it once its folder is there."""
    folders = list(runs.iterdir()) if runs.exists() else []
    return [*SEGTUNE, "train", "--resume", str(folders[0])] if folders else begin


def _retire(runs: Path) -> None:
    folder = next(runs.iterdir())
    folder.rename(runs.parent / f"ended-{folder.name}-{time.monotonic_ns()}")


def _to_the_end(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _differences(one: Path, other: Path) -> list[str]:
    """Return the tensors that differ, and files of one run that the other lacks."""
    names = [
        {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
        for run in (one, other)
    ]
    differing = sorted(names[0] ^ names[1])
    for file in sorted(name for name in names[0] & names[1] if name.endswith(".safetensors")):
        mine, theirs = load_file(one / file), load_file(other / file)
        differing += [
            f"{file}:{tensor}"
            for tensor in sorted(mine.keys() | theirs.keys())
            if tensor not in mine
            or tensor not in theirs
            or not np.array_equal(mine[tensor], theirs[tensor])
        ]
    return differing


if __name__ == "__main__":
    main()
