"""The only place that prints: results to stdout, messages and progress to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from segtune.errors import SegtuneError
from segtune.progress import Reporter, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 10.0  # without a terminal: between two lines of progress
QUIET_SHARE = 0.1  # without a terminal: work done between two lines, if they are a second apart


def show(text: str) -> None:
    """Print a line of the result."""
    print(text)  # noqa: T201


def show_item(label: str, text: str, style: str = "") -> None:
    """Print a label and its text; a terminal has the label in a style, the text under itself.

    Args:
        label: With the blanks that keep it apart from the text.
        text: Is never cut; into a pipe it stays one line.
        style: Of rich, such as "bold red".
    """
    if not sys.stdout.isatty():
        show(f"{label}{text}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style), Text(text))
    Console(highlight=False).print(grid)


def show_json(value: Any) -> None:
    """Print the result as JSON."""
    show(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Print a message beside the result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def show_error(error: SegtuneError) -> None:
    """Print what is wrong, where, and what to do."""
    note(str(error))


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as people read it, in place of `warnings.showwarning`."""
    note(f"warning: {message}")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; columns of numbers stand to the right, and empty titles are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Into a pipe, a table is as wide as it needs to be: nothing is cut off or wrapped.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    table = Table(box=box.SIMPLE_HEAD, show_header=any(columns), pad_edge=False)
    for index, column in enumerate(columns):
        numbers = bool(rows) and all(_is_number(row[index]) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def show_picture(image: NDArray[np.uint8]) -> None:
    """Show an RGB image (H, W, 3) in the terminal, as fine as it can.

    With textual-image installed, a terminal of Sixel or Kitty's protocol shows it pixel by pixel;
    any other shows two pixels a character.
    """
    from rich.console import Console

    from segtune.cli.half_blocks import half_blocks

    if not sys.stdout.isatty():
        note("there is no terminal to show pictures in")
        return
    console = Console()
    try:
        from textual_image.renderable import Image as FineImage
    except ImportError:
        width, height = console.size.width, 2 * max(2, console.size.height - 2)
        console.print(half_blocks(image, (height, width)), end="")
    else:
        from PIL import Image

        console.print(FineImage(Image.fromarray(image), width="auto", height="auto"))


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or cell.rstrip("%").replace(".", "", 1).lstrip("-").isdigit()


def reporter() -> Reporter:
    """Return bars with the time left on a terminal, and a few plain lines anywhere else."""
    return TerminalReporter() if sys.stderr.isatty() else LineReporter()


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[fields]}", markup=False),
        console=Console(stderr=True),
    )


@dataclass
class TerminalReporter:
    """Shows every open task as a bar, with the time left and its latest fields."""

    progress: Progress = field(default_factory=_bars)
    num_open: int = 0

    def say(self, text: str) -> None:
        """Show one line above the bars."""
        self.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Show a bar for as long as the block runs."""
        if self.num_open == 0:
            self.progress.start()
        self.num_open += 1
        bar = self.progress.add_task(title, total=total, fields="")
        try:
            yield _Bar(self.progress, bar)
        finally:
            self.progress.remove_task(bar)
            self.num_open -= 1
            if self.num_open == 0:
                self.progress.stop()


@dataclass
class _Bar:
    progress: Progress
    bar: TaskID

    def advance(self, count: int = 1, **fields: str) -> None:
        if fields:
            self.progress.update(self.bar, advance=count, fields=_joined(fields))
        else:
            self.progress.update(self.bar, advance=count)


class LineReporter:
    """Writes a line now and then, for logs and pipes."""

    def say(self, text: str) -> None:
        """Write one line."""
        note(text)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """Write how far the work is, at most a line a second and at least one at its end."""
        task = _LineTask(title, total)
        yield task
        task.finish()


class _LineTask:
    def __init__(self, title: str, total: int) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.fields: dict[str, str] = {}
        self.started = time.monotonic()
        self.last_line = (self.started, 0)

    def advance(self, count: int = 1, **fields: str) -> None:
        self.done += count
        self.fields.update(fields)
        now = time.monotonic()
        quiet, gained = now - self.last_line[0], self.done - self.last_line[1]
        far = quiet >= 1.0 and gained >= QUIET_SHARE * self.total
        if self.done < self.total and (far or quiet >= QUIET_SECONDS):
            left = (now - self.started) / self.done * (self.total - self.done) if self.done else 0
            self._write(now, f"{duration(left)} left")

    def finish(self) -> None:
        now = time.monotonic()
        self._write(now, f"took {duration(now - self.started)}")

    def _write(self, now: float, timing: str) -> None:
        self.last_line = (now, self.done)
        parts = [f"{self.title}: {self.done}/{self.total}", timing, _joined(self.fields)]
        note(", ".join(part for part in parts if part))


def duration(seconds: float) -> str:
    """Return a span of time as people say it: `0.3 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def percent(fraction: float | None) -> str:
    """Return an AP times 100 with one decimal, or a dash where there is none."""
    return (
        "-" if fraction is None or fraction < 0 or fraction != fraction else f"{100 * fraction:.1f}"
    )


def _joined(fields: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())
