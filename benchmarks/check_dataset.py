"""Time and memory of checking a large COCO file, beside pycocotools merely loading it.

    python benchmarks/check_dataset.py      # 10, 50 and 100 %; writes results/check_dataset.csv
    python benchmarks/check_dataset.py --shares 0.1 --output /tmp/check.csv     # a quick look

Method: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import time
from pathlib import Path

from large_dataset import file_of
from machine import RESULTS, Row, peak_memory_mb, print_markdown, run_apart, surroundings, write_csv

ENGINES = {
    "pycocotools": "COCO(file)",
    "segtune": "check_split(file, skip_images=True), statistics, fingerprint",
}


def load_with_pycocotools(file: Path) -> Row:
    """Load the file; return what was found and the seconds."""
    from pycocotools.coco import COCO

    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(file)
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return {**seconds, "images": len(coco.imgs), "instances": len(coco.anns)}


def check_with_segtune(file: Path) -> Row:
    """Check the file; return what was found and the seconds."""
    from segtune.data.checks import check_split
    from segtune.progress import SilentReporter

    wall, cpu = time.perf_counter(), time.process_time()
    found = check_split(file, file.parent, reporter=SilentReporter(), skip_images=True)
    if found.dataset is None:
        raise SystemExit(f"{file} has errors: {found.findings}")
    digest = found.dataset.fingerprint()
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    counts = found.statistics
    return {
        **seconds,
        "images": counts.num_images,
        "instances": counts.num_instances,
        "fingerprint": digest[:8],
        "codes": " ".join(finding.code for finding in found.findings),
    }


def measure(engine: str, file: Path) -> Row:
    """Run one engine once, in this process."""
    run = load_with_pycocotools if engine == "pycocotools" else check_with_segtune
    found = run(file)
    return {**found, "memory_mb": peak_memory_mb()}


def rows_of(share: float, num_runs: int, folder: Path) -> list[Row]:
    """Return one row an engine, which take turns."""
    file = file_of(share, folder)
    runs: dict[str, list[Row]] = {engine: [] for engine in ENGINES}
    for _ in range(num_runs):
        for engine, own in runs.items():
            file.read_bytes()  # so that neither waits for the disk
            own.append(run_apart([__file__, "--one", engine, str(file)]))
            print(share, engine, own[-1], flush=True)
    rows = [_row(engine, share, file, own) for engine, own in runs.items()]
    for row in rows:
        row["times_the_first"] = round(row["wall_s_median"] / rows[0]["wall_s_median"], 2)
    return rows


def _row(engine: str, share: float, file: Path, runs: list[Row]) -> Row:
    seconds = [run["wall_s"] for run in runs]
    return {
        "share": f"{100 * share:g} %",
        "file_mb": round(file.stat().st_size / 1e6),
        "images": runs[0]["images"],
        "instances": runs[0]["instances"],
        "engine": engine,
        "measured": ENGINES[engine],
        "runs": len(runs),
        "wall_s_median": round(statistics.median(seconds), 2),
        "wall_s_min": round(min(seconds), 2),
        "wall_s_max": round(max(seconds), 2),
        "cpu_s_median": round(statistics.median(run["cpu_s"] for run in runs), 2),
        "peak_memory_mb": round(statistics.median(run["memory_mb"] for run in runs)),
        "times_the_first": 1.0,
        "codes": runs[0].get("codes", ""),
        **surroundings("segtune", "pycocotools", "msgspec", "numpy"),
    }


def main() -> None:
    """Measure both engines at every share and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.5, 1.0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--output", type=Path, default=RESULTS / "check_dataset.csv")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "FILE"))
    options = parser.parse_args()
    if options.one:
        engine, file = options.one
        print(json.dumps(measure(engine, Path(file))))
        return
    rows: list[Row] = []
    for share in options.shares:
        rows += rows_of(share, options.runs, options.folder)
        write_csv(options.output, rows)
    columns = {
        "share": "share",
        "engine": "engine",
        "wall time (s)": "wall_s_median",
        "least": "wall_s_min",
        "most": "wall_s_max",
        "processor time (s)": "cpu_s_median",
        "peak memory (MB)": "peak_memory_mb",
        "times pycocotools'": "times_the_first",
    }
    print_markdown(rows, columns)


if __name__ == "__main__":
    main()
