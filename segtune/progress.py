"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One stretch of counted work that is being shown."""

    def advance(self, count: int = 1, **fields: str) -> None:
        """Say that `count` more units are done; `fields` are short named values to show."""


class Reporter(Protocol):
    """Where long work reports to. The command line shows it; a library caller may ignore it."""

    def say(self, text: str) -> None:
        """Show one line of plain text."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Show `total` units of work called `title`, with an estimate of the time left."""
        ...  # pragma: no cover


class SilentTask:
    """Counts nothing and shows nothing."""

    def advance(self, count: int = 1, **fields: str) -> None:
        """Do nothing."""


class SilentReporter:
    """Shows nothing; the default of every function that takes a reporter."""

    def say(self, text: str) -> None:
        """Do nothing."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Yield a task that shows nothing."""
        yield SilentTask()
