from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import segtune


@pytest.mark.parametrize("name", segtune.__all__)
def test_every_public_name_is_there_and_hides_no_module(name: str) -> None:
    assert getattr(segtune, name) is not None
    assert name in dir(segtune)
    assert importlib.util.find_spec(f"segtune.{name}") is None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segtune.nothing


def test_importing_the_package_loads_only_what_sets_the_processor_up() -> None:
    script = "import segtune, sys; print(sorted(n for n in sys.modules if 'segtune.' in n))"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "['segtune.errors', 'segtune.processor']\n"
