"""`segtune demo`, cut to one epoch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segtune.images import image_size
from segtune.pipeline_config import read_pipeline_config
from segtune.sources import resolve

pytestmark = pytest.mark.slow

SEGTUNE = str(Path(sys.executable).with_name("segtune"))


def test_the_demo_ends_with_ap_a_registered_version_and_a_picture(tmp_path: Path) -> None:
    done = subprocess.run(
        [SEGTUNE, "demo", "--epochs", "1"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "demo-things, version 1" in done.stdout
    assert "champion" in done.stdout
    assert image_size(tmp_path / "demo" / "overlay.png") == (2 * 324, 3 * 324)
    config = tmp_path / "demo" / "pipeline.yaml"
    assert resolve(str(config)) == Path(read_pipeline_config(config).model)


def test_the_demo_leaves_an_existing_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").write_text("1")

    done = subprocess.run(
        [SEGTUNE, "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mine"]
