"""The processor as Paddle finds it: threads, vector units, memory; set before Paddle is imported.

Paddle's CPU wheel starts with one thread, and its MKL takes a slow path on AMD processors. Both
are decided by environment variables that are read once, when Paddle is imported. And it gives
every tensor's memory back to the system, which hands it out again page by page.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType

from segtune.errors import DependencyError, SegtuneError

THREADS_VARIABLE = "OMP_NUM_THREADS"
MKL_VARIABLE = "MKL_DEBUG_CPU_TYPE"
_MMAP_VARIABLE, _TRIM_VARIABLE = "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"  # glibc's
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST_KEPT_BYTES, _NEVER_TRIM = 1 << 30, (1 << 31) - 1
_SET_HERE: set[str] = set()  # variables that prepare() has given their value
MKL_AVX2 = "5"  # MKL's number of its AVX2 code path
INSTALL_PADDLE = (
    "pip install 'segtune[cpu]'; for a GPU, paddlepaddle-gpu 3 from Paddle's own index "
    "(PyPI stops at 2.6.2), see https://www.paddlepaddle.org.cn/en/install/quick"
)


def prepare(threads: int | None = None) -> None:
    """Set what Paddle reads at import, as this machine needs it.

    A variable that the user has set stays as it is; only an explicit `threads` goes before it.

    Args:
        threads: CPU threads of Paddle; default: OMP_NUM_THREADS, else every usable core.

    Raises:
        SegtuneError: `threads` is asked for after Paddle was imported with another number.
    """
    if threads is not None and threads < 1:
        raise SegtuneError(
            f"{threads} threads cannot compute anything", remedy="give 1 or more threads"
        )
    if "paddle" in sys.modules:
        _refuse_change(threads)
        return
    if threads is not None:
        os.environ[THREADS_VARIABLE] = str(threads)
    _set_unless_given(THREADS_VARIABLE, str(usable_cores()))
    if is_amd():
        _set_unless_given(MKL_VARIABLE, MKL_AVX2)
    _set_unless_given("GLOG_minloglevel", "2")  # errors only
    _keep_freed_memory()


def is_users(variable: str) -> bool:
    """Tell whether a variable was set when segtune came, rather than by `prepare`."""
    return variable in os.environ and variable not in _SET_HERE


def import_paddle_quietly(threads: int | None = None) -> ModuleType:
    """Return the paddle module, imported for this processor and without a word on the terminal.

    Args:
        threads: As in `prepare`, which is called first.

    Raises:
        DependencyError: Paddle is not installed, or does not load.
        SegtuneError: As `prepare`.
    """
    prepare(threads)
    if "paddle" in sys.modules:
        return sys.modules["paddle"]
    try:
        with _muted():
            return importlib.import_module("paddle")
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise _unloadable(error) from error
        raise DependencyError("PaddlePaddle is not installed", remedy=INSTALL_PADDLE) from error
    except ImportError as error:
        raise _unloadable(error) from error


def _set_unless_given(variable: str, value: str) -> None:
    if variable not in os.environ:
        os.environ[variable] = value
        _SET_HERE.add(variable)


def _keep_freed_memory() -> None:
    """Let glibc keep what tensors have freed, unless the user has set its limits; else do nothing.

    Tensors of megabytes come and go with every operator, and each of their pages that was given
    back has to be faulted in anew.
    """
    if platform.libc_ver()[0] != "glibc" or {_MMAP_VARIABLE, _TRIM_VARIABLE} & set(os.environ):
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM)


def give_back_freed_memory() -> None:
    """Return to the system what glibc keeps for tensors to come; without glibc do nothing.

    It is for freed memory of hundreds of megabytes whose like will not be asked for again.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return the threads of the CPU where none are asked for: OMP_NUM_THREADS, else every core."""
    given = os.environ.get(THREADS_VARIABLE, "")
    return int(given) if given.isdecimal() and int(given) > 0 else usable_cores()


def cpu_name() -> str:
    """Return the processor's name as the system tells it."""
    for field in ("model name", "Model"):
        if field in _cpu_fields():
            return _cpu_fields()[field]
    return platform.processor() or platform.machine()


def is_amd() -> bool:
    """Return whether the processor is AMD's."""
    vendor = _cpu_fields().get("vendor_id", platform.processor())
    return "AuthenticAMD" in vendor


def _cpu_fields() -> dict[str, str]:
    """Return the fields that Linux tells about its first core; none elsewhere."""
    source = Path("/proc/cpuinfo")
    if not source.exists():
        return {}
    first_core = source.read_text(encoding="utf-8").split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first_core.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _refuse_change(threads: int | None) -> None:
    in_force = os.environ.get(THREADS_VARIABLE, "1")
    if threads is not None and str(threads) != in_force:
        raise SegtuneError(
            f"Paddle is loaded already with {in_force} threads and cannot change to {threads}",
            remedy=f"call segtune.processor.prepare({threads}) before anything imports paddle",
        )


def _unloadable(error: ImportError) -> DependencyError:
    return DependencyError(
        f"PaddlePaddle is installed but does not load: {error}",
        remedy=f"install it anew: {INSTALL_PADDLE}",
    )


@contextmanager
def _muted() -> Iterator[None]:
    """Keep Python's and the C libraries' output, and warnings, off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    try:
        with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                yield
    finally:
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)
