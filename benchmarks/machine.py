"""What a benchmark ran on, how it measures apart, and how it writes its rows."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from segtune import processor
from segtune.files import write_text

RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]


def hardware() -> str:
    """Return processor, cores and system in one phrase."""
    cores, system = os.cpu_count(), platform.system()
    return f"{processor.cpu_name()}, {cores} cores, {system} {platform.machine()}"


def surroundings(*packages: str) -> Row:
    """Return the columns that every row ends with: day, load, versions, hardware."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "load_average": round(psutil.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "hardware": hardware(),
    }


def spread_ms(seconds: Sequence[float]) -> Row:
    """Return how many times were measured, their median, and the tenth and ninetieth percentile."""
    low, middle, high = np.percentile(np.asarray(seconds) * 1000, [10, 50, 90])
    return {
        "measured": len(seconds),
        "median_ms": round(float(middle), 3),
        "p10_ms": round(float(low), 3),
        "p90_ms": round(float(high), 3),
    }


def peak_memory_mb(pid: int | str = "self") -> int:
    """Return the most resident memory that Linux has seen of a process, since `forget_peak`."""
    return _memory_mb(pid, "VmHWM")


def present_memory_mb() -> int:
    """Return the resident memory of this process."""
    return _memory_mb("self", "VmRSS")


def forget_peak() -> None:
    """Make `peak_memory_mb` of this process begin anew at its present memory."""
    Path("/proc/self/clear_refs").write_text("5")


def _memory_mb(pid: int | str, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kilobytes) // 1024


def run_apart(arguments: Sequence[str], **environment: str) -> Row:
    """Run a benchmark script in a process of its own, so that its peak memory is its own.

    Args:
        arguments: The script, and options that make it print its figures as JSON, in one line.
        environment: Variables to add.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:  # it has said why
        raise SystemExit(done.returncode)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of equal keys as a CSV file."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, table.getvalue())


def print_markdown(rows: Sequence[Row], columns: dict[str, str]) -> None:
    """Print the rows as a table for README.md; `columns` maps headings to keys of a row."""
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for row in rows:
        print(f"| {' | '.join(str(row[key]) for key in columns.values())} |")
