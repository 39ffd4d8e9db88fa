"""The picture of a run: losses, learning rate and AP over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtune.files import atomic_path


def draw_curves(history: Sequence[dict[str, float]], path: Path, title: str) -> None:
    """Draw the figures of all finished epochs into a PNG file. Raises OutputError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    losses, rate, precision = figure.subplots(1, 3)
    epochs = [row["epoch"] for row in history]
    for name in _columns(history, "loss"):
        # Those of inner layers and of denoising are in metrics.csv; twenty lines are too many.
        if name.endswith(("_aux", "_dn")):
            continue
        _line(losses, history, name, width=2.2 if name == "loss" else 1.2)
    losses.set_yscale("log")
    losses.set_title("training losses")
    rate.plot(epochs, [row["lr"] for row in history], color="tab:gray")
    rate.set_title("learning rate")
    for name in ("mask_ap", "mask_ap50", "box_ap"):
        _line(precision, history, name, width=2.2 if name == "mask_ap" else 1.2)
    precision.set_ylim(0, 1)
    precision.set_title("average precision, validation split")
    for axes in (losses, rate, precision):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    with atomic_path(path) as beside:
        canvas.print_png(str(beside))


def _columns(history: Sequence[dict[str, float]], prefix: str) -> list[str]:
    return list(dict.fromkeys(name for row in history for name in row if name.startswith(prefix)))


def _line(axes: Any, history: Sequence[dict[str, float]], name: str, *, width: float) -> None:
    rows = [row for row in history if name in row]
    if rows:
        marker = "o" if len(rows) == 1 else ""
        axes.plot(
            [row["epoch"] for row in rows],
            [row[name] for row in rows],
            label=name,
            linewidth=width,
            marker=marker,
        )
