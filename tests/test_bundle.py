from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from segtune.bundle import (
    FILES,
    BundleInfo,
    installed_versions,
    is_bundle,
    read_info,
    write_info,
)
from segtune.bundle import INFO as INFO_FILE
from segtune.categories import Categories
from segtune.errors import BundleError
from segtune.outputs import MaskFrame
from segtune.preprocess import PreprocessSpec

NAMES = ["no", "1", "null", "on", "1.5", "2020-01-01", "~", "a: b", 'say "hi"', "猫", " edge "]
INFO = BundleInfo(
    "PP-YOLOE_seg-S",
    Categories(enumerate(NAMES)),
    PreprocessSpec(size_hw=(320, 640)),
    draw_threshold=0.4,
    architecture="PPYOLOE",
    versions={"segtune": "0.1.0"},
    source={"epoch": 7},
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder whose graphs are empty shells."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("{}")
    write_info(folder, INFO)
    return folder


def test_what_was_written_is_read(bundle: Path) -> None:
    assert read_info(bundle) == INFO
    assert is_bundle(bundle)


def test_paddlex_reads_every_class_name_as_text(bundle: Path) -> None:
    document = yaml.safe_load((bundle / "inference.yml").read_text(encoding="utf-8"))

    assert document["label_list"] == NAMES


def test_inference_yml_has_the_keys_of_paddlex(bundle: Path) -> None:
    document = yaml.safe_load((bundle / "inference.yml").read_text(encoding="utf-8"))

    assert document.pop("label_list")
    assert document.pop("Preprocess")[0]["target_size"] == [320, 640]
    assert document == {
        "mode": "paddle",
        "draw_threshold": 0.4,
        "metric": "COCO",
        "use_dynamic_shape": False,
        "Global": {"model_name": "PP-YOLOE_seg-S"},
        "arch": "PPYOLOE",
        "min_subgraph_size": 3,
        "mask": True,
    }


@dataclass(frozen=True)
class Checkpoint:
    model_name: str = "PP-YOLOE_seg-S"
    categories: Categories = INFO.categories
    preprocess: PreprocessSpec = INFO.preprocess
    epoch: int = 12


def test_a_bundle_takes_over_what_its_checkpoint_knows() -> None:
    info = BundleInfo.of_checkpoint(Checkpoint())

    assert (info.model_name, info.categories) == ("PP-YOLOE_seg-S", INFO.categories)
    assert info.preprocess == INFO.preprocess
    assert info.source == {"epoch": 12}
    assert info.mask_frame is MaskFrame.INPUT
    assert "paddlepaddle" in info.versions


def test_a_folder_without_bundle_is_named(tmp_path: Path) -> None:
    assert not is_bundle(tmp_path)
    with pytest.raises(BundleError, match="no bundle folder"):
        read_info(tmp_path / "absent")


def test_a_bundle_of_another_program_is_explained(bundle: Path) -> None:
    (bundle / "segtune.json").unlink()
    (bundle / "network.json").unlink()

    assert is_bundle(bundle)
    with pytest.raises(BundleError, match=r"no network\.json, segtune\.json"):
        read_info(bundle)


def test_an_empty_file_is_named(bundle: Path) -> None:
    (bundle / "inference.pdiparams").write_bytes(b"")

    with pytest.raises(BundleError, match=r"inference\.pdiparams of the bundle holds nothing"):
        read_info(bundle)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{"format": 1, "model_na', id="cut in half"),
        pytest.param("[1, 2]", id="a list"),
        pytest.param('{"format": 1}', id="without fields"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
    ],
)
def test_a_damaged_description_is_an_error(bundle: Path, content: str | bytes) -> None:
    (bundle / "segtune.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )

    with pytest.raises(BundleError, match="damaged"):
        read_info(bundle)


@pytest.mark.parametrize(
    ("key", "value"), [("mask_frame", "sideways"), ("categories", [{"id": 1}]), ("extra", 1)]
)
def test_a_wrong_field_is_an_error(bundle: Path, key: str, value: object) -> None:
    fields = json.loads((bundle / "segtune.json").read_text(encoding="utf-8"))
    (bundle / "segtune.json").write_text(json.dumps({**fields, key: value}))

    with pytest.raises(BundleError, match="damaged"):
        read_info(bundle)


def test_another_format_is_refused(bundle: Path) -> None:
    (bundle / "segtune.json").write_text('{"format": 99}')

    with pytest.raises(BundleError, match="format 99"):
        read_info(bundle)


def test_reading_a_bundle_never_imports_paddle(bundle: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from segtune.bundle import read_info; "
        f"read_info(Path({str(bundle)!r})); import segtune.predictor; "
        "sys.exit('paddle' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_broken_package_beside_ours_does_not_keep_an_export_from_its_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "left_by_pip-1.0.dist-info").mkdir()
    (tmp_path / "left_by_pip-1.0.dist-info" / "METADATA").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    assert "segtune" in installed_versions()


@pytest.mark.parametrize("name", [name for name in FILES if name != INFO_FILE])
def test_a_file_cut_short_is_named_with_both_sizes(bundle: Path, name: str) -> None:
    whole = (bundle / name).read_bytes()
    (bundle / name).write_bytes(whole[:-1])

    with pytest.raises(BundleError, match=f"{len(whole) - 1} bytes instead of {len(whole)}"):
        read_info(bundle)
