"""A reporter that also keeps what is said in the run's log file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segtune.progress import Reporter, Task


class LoggingReporter:
    """Passes everything on to another reporter and appends said lines, with time, to a file."""

    def __init__(self, reporter: Reporter, log: Path) -> None:
        self._reporter = reporter
        self._log = log

    def say(self, text: str) -> None:
        """Show a line and keep it."""
        self._reporter.say(text)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{stamp}  {text}\n")

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Show a task; only its title goes into the file when it begins."""
        with self._reporter.task(title, total) as task:
            yield task
