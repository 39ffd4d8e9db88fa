"""A reporter that also keeps what is said in the run's log file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segtune.progress import Reporter, Task


class LoggingReporter:
    """Passes everything on to another reporter, and keeps said lines with their time.

    Lines are held until the run's folder is made, and go into its log from then on.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._held: list[str] = []
        self._log: Path | None = None

    def open_log(self, log: Path) -> None:
        """Append what has been said so far, and all that will be, to a file."""
        self._log = log
        self._write("".join(self._held))
        self._held.clear()

    def say(self, text: str) -> None:
        """Show a line and keep it."""
        self._reporter.say(text)
        self._write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Show a task; the log has nothing of it."""
        with self._reporter.task(title, total) as task:
            yield task

    def _write(self, text: str) -> None:
        if self._log is None:
            self._held.append(text)
            return
        with self._log.open("a", encoding="utf-8") as file:
            file.write(text)
