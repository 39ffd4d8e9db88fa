"""The names of what runs a network, and of the precisions in which it computes."""

from __future__ import annotations

from typing import Literal

from segtune.errors import RecipeError

Runtime = Literal["paddle", "onnx", "openvino"]
Precision = Literal["fp32", "bf16"]
RUNTIMES: tuple[Runtime, ...] = ("paddle", "onnx", "openvino")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
PRECISIONS_OF: dict[Runtime, tuple[Precision, ...]] = {
    "paddle": ("fp32",),
    "onnx": ("fp32",),
    "openvino": PRECISIONS,
}


def parse_runtime(name: str) -> Runtime:
    """Return the runtime of that name. Raises RecipeError."""
    for runtime in RUNTIMES:
        if runtime == name:
            return runtime
    raise RecipeError(
        f"{name!r} is not a runtime",
        where=f"--runtime {name}",
        remedy=f"use one of {', '.join(RUNTIMES)}",
    )


def parse_precision(name: str) -> Precision:
    """Return the precision of that name. Raises RecipeError."""
    for precision in PRECISIONS:
        if precision == name:
            return precision
    raise RecipeError(
        f"{name!r} is not a precision",
        where=f"--precision {name}",
        remedy=f"use one of {', '.join(PRECISIONS)}",
    )


def check_pair(runtime: Runtime, precision: Precision) -> None:
    """Raise RecipeError if the runtime does not compute in that precision."""
    known = PRECISIONS_OF[runtime]
    if precision not in known:
        raise RecipeError(
            f"the runtime {runtime} computes in {', '.join(known)} only, not in {precision}",
            where=f"--runtime {runtime} --precision {precision}",
            remedy="leave --precision out, or use --runtime openvino",
        )
