"""The names of what runs a network, and of the precisions in which it computes."""

from __future__ import annotations

from typing import Literal, TypeVar

from segtune.errors import RecipeError

Runtime = Literal["paddle", "onnx", "openvino"]
Precision = Literal["fp32", "bf16"]
RUNTIMES: tuple[Runtime, ...] = ("paddle", "onnx", "openvino")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
Name = TypeVar("Name", bound=str)
PRECISIONS_OF: dict[Runtime, tuple[Precision, ...]] = {
    "paddle": ("fp32",),
    "onnx": ("fp32",),
    "openvino": PRECISIONS,
}


def parse_runtime(name: str) -> Runtime:
    """Return the runtime of that name. Raises RecipeError."""
    return _one_of(RUNTIMES, name, "runtime")


def parse_precision(name: str) -> Precision:
    """Return the precision of that name. Raises RecipeError."""
    return _one_of(PRECISIONS, name, "precision")


def _one_of(known: tuple[Name, ...], name: str, kind: str) -> Name:
    for each in known:
        if each == name:
            return each
    raise RecipeError(
        f"{name!r} is not a {kind}",
        where=f"--{kind} {name}",
        remedy=f"use one of {', '.join(known)}",
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
