"""The exported folder: which files it has and what they say.

inference.json       graph in the form that PaddleX feeds and reads
inference.pdiparams  weights of both graphs
inference.yml        what PaddleX knows about the model
network.json         graph that ends at raw outputs, which segtune itself runs
network.onnx         the same with its weights, for other engines; only where it was asked for
segtune.json         BundleInfo
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import yaml

from segtune.categories import Categories
from segtune.errors import BundleError
from segtune.files import write_text
from segtune.outputs import MaskFrame
from segtune.preprocess import PreprocessSpec

FORMAT = 1
PADDLEX_GRAPH = "inference.json"
WEIGHTS = "inference.pdiparams"
PADDLEX_INFO = "inference.yml"
RAW_GRAPH = "network.json"
ONNX_GRAPH = "network.onnx"
INFO = "segtune.json"
FILES = (PADDLEX_GRAPH, WEIGHTS, PADDLEX_INFO, RAW_GRAPH, INFO)  # ONNX_GRAPH may be there too

_VERSIONED_PACKAGES = ("segtune", "paddlepaddle", "paddlepaddle-gpu")


class TrainedNetwork(Protocol):
    """What a bundle takes over from a checkpoint."""

    @property
    def model_name(self) -> str:
        """A name of the zoo."""

    @property
    def categories(self) -> Categories:
        """The classes, by label."""

    @property
    def preprocess(self) -> PreprocessSpec:
        """How images reach the network."""

    @property
    def epoch(self) -> int:
        """Finished epochs."""


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle's graphs belong to.

    Attributes:
        model_name: A name of the zoo; PaddleX knows no others.
        categories: The classes, by label.
        preprocess: How images reach the network.
        mask_frame: What the raw graph's mask logits cover.
        draw_threshold: PaddleX's score threshold where its user gives none.
        architecture: PaddleDetection's name of the family, for its own deployment scripts.
        versions: Packages that wrote the bundle.
        source: What the weights come from, such as the epoch of the checkpoint.
    """

    model_name: str
    categories: Categories
    preprocess: PreprocessSpec
    mask_frame: MaskFrame = MaskFrame.INPUT
    draw_threshold: float = 0.5
    architecture: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_checkpoint(cls, checkpoint: TrainedNetwork) -> BundleInfo:
        """Return what a bundle made from a checkpoint says about itself."""
        return cls(
            checkpoint.model_name,
            checkpoint.categories,
            checkpoint.preprocess,
            versions=installed_versions(),
            source={"epoch": checkpoint.epoch},
        )


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that shape a bundle, of those installed."""
    versions = {}
    for name in _VERSIONED_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def is_bundle(path: Path) -> bool:
    """Return whether `path` is an exported folder, segtune's or another's."""
    return (path / PADDLEX_INFO).is_file()


def write_info(folder: Path, info: BundleInfo) -> None:
    """Write inference.yml and segtune.json beside all graphs of a bundle. Raises OutputError."""
    write_text(folder / PADDLEX_INFO, _paddlex_yaml(info))
    document = {
        "format": FORMAT,
        "model_name": info.model_name,
        "categories": info.categories.to_json(),
        "preprocess": info.preprocess.to_json(),
        "mask_frame": info.mask_frame.value,
        "draw_threshold": info.draw_threshold,
        "architecture": info.architecture,
        "versions": info.versions,
        "source": info.source,
        "sizes_bytes": {
            name: (folder / name).stat().st_size
            for name in (*FILES, ONNX_GRAPH)
            if name != INFO and (name in FILES or (folder / name).is_file())
        },
    }
    write_text(folder / INFO, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_info(folder: Path) -> BundleInfo:
    """Read what a bundle's graphs belong to.

    Raises:
        BundleError: There is no bundle, or files of it are absent, damaged or of another format.
    """
    _check_files(folder)
    file = folder / INFO
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        found = fields.pop("format", None)
        if found != FORMAT:
            raise BundleError(
                f"the bundle has format {found}, this segtune reads format {FORMAT}",
                where=str(file),
                remedy="use the segtune version that wrote it",
            )
        _check_sizes(folder, fields.pop("sizes_bytes"))
        fields["categories"] = Categories.from_json(fields["categories"])
        fields["preprocess"] = PreprocessSpec.from_json(fields["preprocess"])
        fields["mask_frame"] = MaskFrame(fields["mask_frame"])
        return BundleInfo(**fields)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the bundle's {INFO} is damaged: {error}",
            where=str(file),
            remedy="export the checkpoint again",
        ) from error


class _Quoted(str):
    """Text that is written in quotes, so that no YAML reader takes it for anything else."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also knows _Quoted."""


def _represent_quoted(dumper: yaml.SafeDumper, text: _Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


_Dumper.add_representer(_Quoted, _represent_quoted)


def _paddlex_yaml(info: BundleInfo) -> str:
    document = {
        "mode": "paddle",
        "draw_threshold": info.draw_threshold,
        "metric": "COCO",
        "use_dynamic_shape": False,
        "Global": {"model_name": info.model_name},
        "arch": info.architecture,
        "min_subgraph_size": 3,
        "mask": True,
        "Preprocess": info.preprocess.to_paddlex(),
        "label_list": [_Quoted(name) for name in info.categories.names],
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(
            f"{folder} is no bundle folder",
            where=str(folder),
            remedy="give a folder that `segtune export` has written",
        )
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        raise BundleError(
            f"the bundle has no {', '.join(absent)}",
            where=str(folder),
            remedy="give a folder that `segtune export` has written; bundles of other programs "
            f"have no {RAW_GRAPH} and run in PaddleX only",
        )
    empty = [name for name in FILES if (folder / name).stat().st_size == 0]
    if empty:
        raise BundleError(
            f"{', '.join(empty)} of the bundle holds nothing",
            where=str(folder),
            remedy="export the checkpoint again",
        )


def _check_sizes(folder: Path, sizes_bytes: dict[str, int]) -> None:
    for name, expected in sizes_bytes.items():
        if name == ONNX_GRAPH and not (folder / name).is_file():
            continue  # whoever does not need it may have removed it
        found = (folder / name).stat().st_size
        if found != expected:
            raise BundleError(
                f"{name} of the bundle has {found} bytes instead of {expected}",
                where=str(folder / name),
                remedy="copy the bundle again, whole, or export the checkpoint again",
            )
