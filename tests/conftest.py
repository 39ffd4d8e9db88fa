"""What tests of several modules share."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drawing import draw_coco


@pytest.fixture
def tiny_coco(tmp_path: Path) -> Path:
    """Root of a drawn COCO dataset: six training and three validation images of 96 x 128."""
    return draw_coco(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of the test's own; only published weights are worth keeping."""
    if "weights" not in request.keywords:
        cache = request.getfixturevalue("tmp_path_factory").mktemp("cache")
        monkeypatch.setenv("SEGTUNE_CACHE", str(cache))


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal; a shell's background jobs, such as some CI runs, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def memory_goes_back() -> Iterator[None]:
    """Give freed memory back to the system, where the C library would keep it.

    Fifteen networks pass through one process; without this it came to hold 16 GB.
    """
    yield
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc only
    if trim is not None:
        trim(0)
