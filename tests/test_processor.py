from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from segtune.errors import SegtuneError
from segtune.processor import cpu_name, default_threads, is_amd, prepare, usable_cores


def _variables(code: str, **given: str) -> dict[str, str]:
    """Run `code` in a fresh process and return the environment that it leaves."""
    ours = ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE", "GLOG_minloglevel")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | given
    script = f"import json, os\nfrom segtune import processor\n{code}\n"
    script += "print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    left: dict[str, str] = json.loads(done.stdout)
    return left


def test_every_usable_core_and_the_fast_path_of_amd_are_chosen() -> None:
    left = _variables("processor.prepare()")

    assert left["OMP_NUM_THREADS"] == str(usable_cores())
    assert left.get("MKL_DEBUG_CPU_TYPE") == ("5" if is_amd() else None)


def test_what_the_user_has_set_stays() -> None:
    left = _variables("processor.prepare()", OMP_NUM_THREADS="3", MKL_DEBUG_CPU_TYPE="4")

    assert (left["OMP_NUM_THREADS"], left["MKL_DEBUG_CPU_TYPE"]) == ("3", "4")


def test_threads_that_are_asked_for_go_before_the_environment() -> None:
    left = _variables("processor.prepare(1)", OMP_NUM_THREADS="3")

    assert left["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("given", ["3", "", "0", "2,1", "many"])
def test_threads_that_nobody_asks_for_are_the_users_or_every_core(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)

    assert default_threads() == (3 if given == "3" else usable_cores())


def test_no_threads_at_all_is_refused() -> None:
    with pytest.raises(SegtuneError, match="0 threads"):
        prepare(0)


def test_paddle_is_imported_without_a_word_and_keeps_its_threads() -> None:
    left = _variables(
        "processor.import_paddle_quietly()\n"
        "processor.prepare()\n"
        "processor.prepare(2)\n"
        "try:\n"
        "    processor.prepare(1)\n"
        "except processor.SegtuneError as error:\n"
        "    os.environ['REFUSED'] = error.problem",
        OMP_NUM_THREADS="2",
    )

    assert left["OMP_NUM_THREADS"] == "2"
    assert left["REFUSED"] == "Paddle is loaded already with 2 threads and cannot change to 1"


def test_a_paddle_that_is_absent_or_broken_is_told_with_what_to_install() -> None:
    left = _variables(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'paddle':\n"
        "            raise ModuleNotFoundError('no paddle', name='paddle')\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "try:\n"
        "    processor.import_paddle_quietly()\n"
        "except processor.DependencyError as error:\n"
        "    os.environ['TOLD'] = str(error)"
    )

    assert "PaddlePaddle is not installed" in left["TOLD"]
    assert "segtune[cpu]" in left["TOLD"]


def test_the_processor_has_a_name() -> None:
    assert cpu_name().strip()
    assert usable_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; glibc's malloc is meant")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    code = """
import json
from pathlib import Path
from segtune.processor import give_back_freed_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

before = resident_mb()
content = bytearray(b"x" * (200 << 20))
del content
kept = resident_mb() - before
give_back_freed_memory()
print(json.dumps([kept, resident_mb() - before]))
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    kept, left = json.loads(done.stdout)

    assert kept >= 200
    assert left < 20
