"""The plots of the page, as SVG that takes its colours from the page's style.

Shapes: n values, b bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 328, 204
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 14, 10, 40  # margins around the plotted area
_PLOT_W = _WIDTH - _LEFT - _RIGHT
_PLOT_H = _HEIGHT - _TOP - _BOTTOM
_NICE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_GRID_LINES = 4
_HEAT_WH = (320, 240)
_CELLS_WH = ((8, 6), (16, 12), (32, 24))  # so that a cell has several instances
_INSTANCES_PER_CELL = 4


@dataclass(frozen=True)
class Axis:
    """The bins of a histogram and the ticks below it."""

    edges: NDArray[np.float64]  # (b + 1,) ascending
    ticks: Sequence[tuple[float, str]]
    """Positions, in units of the edges, with their labels."""
    title: str
    marks: Sequence[float] = ()
    """Where dotted lines stand."""

    def x(self, value: float) -> float:
        """Return where a value is drawn."""
        first, last = self.edges[0], self.edges[-1]
        return _LEFT + _PLOT_W * float((value - first) / (last - first))


def histogram(values: Mapping[str, NDArray[np.float64]], axis: Axis, alt: str) -> str:
    """Return a histogram of one or two series, as shares of each.

    What lies beyond the bins counts into the outermost ones.

    Args:
        values: The values (n,) by split; the first is drawn as bars, the second as a line.
        axis: Its bins.
        alt: What the plot shows, for those who do not see it.
    """
    shares = {name: _shares(series, axis.edges) for name, series in values.items()}
    highest = max((float(share.max(initial=0)) for share in shares.values()), default=0.0)
    step = next((step for step in _NICE_STEPS if step * _GRID_LINES >= highest), 0.5)
    top = step * max(1, int(np.ceil(highest / step - 1e-9)))
    parts = [_grid(step, top), _ticks(axis)]
    for name, share in shares.items():
        draw = _bars if name == "train" else _steps
        parts.append(draw(share / top, axis, name))
    return _svg(_WIDTH, _HEIGHT, alt, "".join(parts))


def heat_map(centres_xy: NDArray[np.float64], alt: str) -> str:
    """Return a grid that is the darker the more of the points (n, 2), 0..1, lie in a cell."""
    fitting = [
        cells for cells in _CELLS_WH if cells[0] * cells[1] * _INSTANCES_PER_CELL < len(centres_xy)
    ]
    columns, rows = fitting[-1] if fitting else _CELLS_WH[0]
    width, height = _HEAT_WH
    cell_w, cell_h = width // columns, height // rows
    counts, _, _ = np.histogram2d(
        centres_xy[:, 1], centres_xy[:, 0], bins=(rows, columns), range=((0, 1), (0, 1))
    )
    strengths = counts / counts.max() if counts.max() > 0 else counts
    cells = [
        f'<rect class="heat" x="{column * cell_w}" y="{row * cell_h}" '
        f'width="{cell_w}" height="{cell_h}" opacity="{strength:.2f}"/>'
        for (row, column), strength in np.ndenumerate(strengths)
        if strength > 0
    ]
    frame = f'<rect class="frame" x=".5" y=".5" width="{width - 1}" height="{height - 1}"/>'
    return _svg(width, height, alt, "".join(cells) + frame)


def size_axis(longest_px: float) -> Axis:
    """Return the axis of mask sizes: logarithmic, half an octave a bin."""
    last = max(8, int(np.ceil(np.log2(max(longest_px, 2)))))
    ticks = [(float(power), f"{2**power}") for power in range(0, last + 1, 2)]
    return Axis(
        edges=np.arange(0, last + 0.25, 0.5),
        ticks=ticks,
        title="side of a square as large as the mask, pixels",
        marks=(5.0, float(np.log2(96))),
    )


def ratio_axis() -> Axis:
    """Return the axis of box shapes: logarithmic, from eight times as high to as wide."""
    ticks = [(-3.0, "1:8"), (-2.0, "1:4"), (-1.0, "1:2"), (0.0, "1:1")]
    ticks += [(1.0, "2:1"), (2.0, "4:1"), (3.0, "8:1")]
    return Axis(np.arange(-3, 3.1, 0.25), ticks, "width : height of the box", marks=(0.0,))


def count_axis(most: int) -> Axis:
    """Return the axis of instances an image, from none to `most`, in at most 30 bins."""
    width = max(1, -(-(most + 1) // 30))
    num_bins = max(4, -(-(most + 1) // width))
    edges = np.arange(num_bins + 1, dtype=np.float64) * width - 0.5
    every = max(1, -(-num_bins // 8))
    ticks = [
        (float(number * width + (width - 1) / 2), _span(number * width, width))
        for number in range(0, num_bins, every)
    ]
    return Axis(edges, ticks, "instances on an image")


def _span(first: int, width: int) -> str:
    return str(first) if width == 1 else f"{first}–{first + width - 1}"


def _shares(series: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(series, edges[0], np.nextafter(edges[-1], edges[0]))
    counts, _ = np.histogram(inside, edges)
    return counts / max(1, len(series))


def _grid(step: float, top: float) -> str:
    parts = []
    for number in range(round(top / step) + 1):
        y = _TOP + _PLOT_H * (1 - number * step / top)
        kind = "axis" if number == 0 else "grid"
        parts.append(f'<path class="{kind}" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        percent = f"{100 * number * step:.0f}" + ("\N{NARROW NO-BREAK SPACE}%")
        parts.append(f'<text class="y" x="{_LEFT - 6}" y="{y + 4:.1f}">{percent}</text>')
    return "".join(parts)


def _ticks(axis: Axis) -> str:
    base = _TOP + _PLOT_H
    parts = [
        f'<text class="x" x="{axis.x(at):.1f}" y="{base + 16}">{escape(label)}</text>'
        for at, label in axis.ticks
    ]
    parts += [
        f'<path class="mark" d="M{axis.x(at):.1f} {_TOP}V{base}"/>'
        for at in axis.marks
        if axis.edges[0] <= at <= axis.edges[-1]
    ]
    middle = _LEFT + _PLOT_W / 2
    parts.append(
        f'<text class="x title" x="{middle:.0f}" y="{base + 34}">{escape(axis.title)}</text>'
    )
    return "".join(parts)


def _bars(heights: NDArray[np.float64], axis: Axis, name: str) -> str:
    parts = []
    for number, height in enumerate(heights.tolist()):
        if height > 0:
            left, right = axis.x(axis.edges[number]), axis.x(axis.edges[number + 1])
            tall = max(1.0, height * _PLOT_H)
            parts.append(
                f'<rect class="{name}" x="{left + 0.5:.1f}" y="{_TOP + _PLOT_H - tall:.1f}" '
                f'width="{right - left - 1:.1f}" height="{tall:.1f}"/>'
            )
    return "".join(parts)


def _steps(heights: NDArray[np.float64], axis: Axis, name: str) -> str:
    if not heights.any():
        return ""
    base = _TOP + _PLOT_H
    path = [f"M{axis.x(axis.edges[0]):.1f} {base}"]
    for number, height in enumerate(heights.tolist()):
        path.append(f"V{base - height * _PLOT_H:.1f}H{axis.x(axis.edges[number + 1]):.1f}")
    return f'<path class="{name}" d="{"".join(path)}V{base}"/>'


def _svg(width: int, height: int, alt: str, content: str) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(alt)}">'
    return f"{head}{content}</svg>"
