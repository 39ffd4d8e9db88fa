"""Use case: this machine as segtune sees it, and what is missing on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import segtune
from segtune import processor
from segtune.errors import DependencyError
from segtune.tracking.store import database_file, tracking_uri

PADDLE_PACKAGES = ("paddlepaddle", "paddlepaddle-gpu", "paddlepaddle-xpu", "paddlepaddle-dcu")
EXTRAS = ("onnx", "serve")
VARIABLES = (
    processor.THREADS_VARIABLE,
    processor.MKL_VARIABLE,
    "CUDA_VISIBLE_DEVICES",
    "SEGTUNE_CACHE",
    "SEGTUNE_OFFLINE",
    "MLFLOW_TRACKING_URI",
)
REACH_TIMEOUT_S = 3.0
MEASURE_TIMEOUT_S = 120.0

# The best of three, since the first product also starts the threads.
_MATRIX_PRODUCT = """\
import time
import paddle
paddle.set_device("cpu")
side = 1536
matrix = paddle.ones([side, side])
def seconds():
    start = time.perf_counter()
    (matrix @ matrix).numpy()
    return time.perf_counter() - start
print("GFLOPS", 2 * side**3 / min(seconds() for _ in range(3)) / 1e9)
"""


@dataclass(frozen=True)
class Fact:
    """One line of the report: a group, a name, and what was found."""

    group: str
    name: str
    value: str


@dataclass(frozen=True)
class Missing:
    """Something that is not there, and how to get it."""

    what: str
    remedy: str
    needed: bool  # for the main commands; else only for a part of them


@dataclass(frozen=True)
class Diagnosis:
    """All that was found on this machine."""

    facts: tuple[Fact, ...]
    missing: tuple[Missing, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types, facts by group."""
        groups: dict[str, dict[str, str]] = {}
        for fact in self.facts:
            groups.setdefault(fact.group, {})[fact.name] = fact.value
        return {"facts": groups, "missing": [asdict(entry) for entry in self.missing]}


def diagnose(*, measure: bool = True) -> Diagnosis:
    """Look at Python, processor, Paddle, devices, packages and MLflow.

    Args:
        measure: Also measure a matrix product with and without segtune's settings, in two
            processes of their own (some seconds).
    """
    given = {name for name in VARIABLES if processor.is_users(name)}
    before = dict(os.environ)
    processor.prepare()
    facts = [*_system_facts(), *_variable_facts(given)]
    missing: list[Missing] = []
    try:
        paddle_facts = _paddle_facts()
    except DependencyError as error:
        missing.append(
            Missing(error.problem, error.remedy or processor.INSTALL_PADDLE, needed=True)
        )
    else:
        facts += paddle_facts
        facts += _speed_facts(before) if measure else []
    package_facts, absent = _packages()
    facts += package_facts
    missing += absent
    mlflow_fact, unreachable = _mlflow()
    facts.append(mlflow_fact)
    missing += unreachable
    return Diagnosis(tuple(facts), tuple(missing))


def _system_facts() -> list[Fact]:
    return [
        Fact("system", "segtune", segtune.__version__),
        Fact("system", "Python", f"{platform.python_version()} ({sys.executable})"),
        Fact("system", "system", platform.platform()),
        Fact("system", "processor", processor.cpu_name()),
        Fact("system", "usable cores", str(processor.usable_cores())),
    ]


def _variable_facts(given: set[str]) -> list[Fact]:
    return [
        Fact("environment", name, f"{os.environ[name]} ({'yours' if name in given else 'segtune'})")
        for name in VARIABLES
        if name in os.environ
    ]


def _paddle_facts() -> list[Fact]:
    from segtune.devices import present_devices

    paddle = processor.import_paddle_quietly()
    builds = [
        f"{name} {version}" for name in PADDLE_PACKAGES if (version := _version(name)) is not None
    ]
    cuda = f"CUDA {paddle.version.cuda()}" if paddle.device.is_compiled_with_cuda() else "CPU"
    onednn = paddle.base.core.is_compiled_with_onednn()
    return [
        Fact("Paddle", "version", f"{paddle.__version__} ({', '.join(builds) or 'own build'})"),
        Fact("Paddle", "build", cuda),
        Fact("Paddle", "devices", ", ".join(present_devices())),
        Fact("Paddle", "oneDNN", "yes" if onednn else "no"),
        Fact("Paddle", "threads", os.environ[processor.THREADS_VARIABLE]),
    ]


def _speed_facts(before: dict[str, str]) -> list[Fact]:
    """Measure a float32 matrix product as Paddle comes, and with the settings in force."""
    ours = {processor.THREADS_VARIABLE, processor.MKL_VARIABLE}
    plain = {name: value for name, value in before.items() if name not in ours}
    settings = ", ".join(f"{name}={os.environ[name]}" for name in sorted(ours & set(os.environ)))
    return [
        Fact("speed", "matrix product as Paddle comes", _gflops(plain)),
        Fact("speed", f"with {settings}", _gflops(dict(os.environ))),
    ]


def _gflops(environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MATRIX_PRODUCT],
            env=environment,
            capture_output=True,
            text=True,
            timeout=MEASURE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not measured: took over {MEASURE_TIMEOUT_S:.0f} s"
    found = re.search(r"GFLOPS ([\d.]+)", done.stdout)
    if found is None:
        return f"not measured: exit status {done.returncode}"
    return f"{float(found[1]):.0f} GFLOP/s"


def _packages() -> tuple[list[Fact], list[Missing]]:
    """Return the versions of what segtune depends on, and what of it is absent."""
    facts: list[Fact] = []
    missing: list[Missing] = []
    if _version("segtune") is None:
        remedy = "pip install -e . in the checkout that you run segtune from"
        missing.append(Missing("segtune runs without being installed", remedy, needed=False))
        return facts, missing
    for name, extra in _requirements():
        version = _version(name)
        if version is not None:
            facts.append(Fact("packages", name, version))
        elif extra is None:
            missing.append(Missing(f"{name} is not installed", "pip install segtune", needed=True))
        else:
            remedy = f"pip install 'segtune[{extra}]', if you want that part"
            missing.append(Missing(f"{name} is not installed", remedy, needed=False))
    return facts, missing


def _requirements() -> list[tuple[str, str | None]]:
    """Return name and extra of each package that the installed segtune declares."""
    declared = importlib.metadata.requires("segtune") or []
    pairs = []
    for line in declared:
        name = re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if extra is None or extra[1] in EXTRAS:
            pairs.append((name, extra[1] if extra else None))
    return pairs


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _mlflow() -> tuple[Fact, list[Missing]]:
    """Look whether runs can be recorded, without importing MLflow, which takes seconds."""
    uri = tracking_uri(None, Path.cwd())
    problem = _unreachable(uri)
    fact = Fact("MLflow", uri, "reachable" if problem is None else f"not reachable: {problem}")
    if problem is None:
        return fact, []
    remedy = "start the server, or correct MLFLOW_TRACKING_URI"
    return fact, [Missing(f"the MLflow store {uri} cannot be reached", remedy, needed=False)]


def _unreachable(uri: str) -> str | None:
    """Return why a tracking store cannot be reached, or None where that is not known."""
    database = database_file(uri)
    if database is not None:
        place = next(path for path in (database, *database.parents) if path.exists())
        return None if os.access(place, os.W_OK) else f"{place} cannot be written"
    if not uri.startswith(("http://", "https://")):
        return None  # a folder, which MLflow makes, or a database whose driver alone can tell
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        return f"it answers {error.code}"
    except (OSError, ValueError) as error:
        return str(error)
