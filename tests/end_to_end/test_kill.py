"""A run that is killed without warning, and continued."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from segtune.training.run_folder import RunFolder
from tests.drawing import draw_coco

pytestmark = pytest.mark.slow

SEGTUNE = str(Path(sys.executable).with_name("segtune"))
SETTINGS = ["image_size=[64,64]", "epochs=3", "batch_size=2", "tracking.enabled=false"]
PATIENCE_S = 120


def _start(runs: Path, data: Path) -> subprocess.Popen[bytes]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    where = ["--data", str(data), "--runs", str(runs), "--name", "tiny"]
    return subprocess.Popen(
        [SEGTUNE, "train", "--recipe", "pp_yoloe_seg_s_scratch", *where, *settings],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _await(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.01)  # between two looks at the disk


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An undisturbed run, beside its dataset."""
    root = tmp_path_factory.mktemp("straight")
    assert _start(root / "runs", draw_coco(root / "data")).wait(PATIENCE_S) == 0
    return RunFolder(root / "runs" / "tiny-1")


@pytest.mark.parametrize("appears", ["recipe.yaml", "checkpoints/step_00000003"])
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(
    straight: RunFolder, tmp_path: Path, appears: str
) -> None:
    killed = RunFolder(tmp_path / "runs" / "tiny-1")
    process = _start(killed.path.parent, straight.path.parents[1] / "data")
    _await(killed.path / appears, process)
    process.kill()
    process.wait()
    subprocess.run([SEGTUNE, "train", "--resume", str(killed.path)], check=True)

    names = {path.relative_to(straight.path) for path in straight.path.rglob("*.safetensors")}
    assert names == {path.relative_to(killed.path) for path in killed.path.rglob("*.safetensors")}
    for name in names:
        mine, theirs = load_file(killed.path / name), load_file(straight.path / name)
        assert all((mine[tensor] == theirs[tensor]).all() for tensor in mine | theirs)
