"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a dataset.

    An error keeps segtune from training on it; a warning is likely a mistake; an info is
    something that segtune does for the user, or that is good to know.
    """

    code: str
    severity: Severity
    message: str
    remedy: str


def error(code: str, message: str, remedy: str) -> Rule:
    """Return a rule whose breach keeps segtune from training."""
    return Rule(code, "error", message, remedy)


def warning(code: str, message: str, remedy: str) -> Rule:
    """Return a rule whose breach is likely a mistake."""
    return Rule(code, "warning", message, remedy)


def info(code: str, message: str, remedy: str) -> Rule:
    """Return a rule whose breach is good to know."""
    return Rule(code, "info", message, remedy)
