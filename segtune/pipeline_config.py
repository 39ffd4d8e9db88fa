"""A PaddleX pipeline YAML of either generation, read and written.

pipeline_name: instance_segmentation          Global: {pipeline_name: instance_segmentation}
SubModules:                                   Pipeline:
InstanceSegmentation:                         model: /models/pens
model_name: PP-YOLOE_seg-S                  batch_size: 1
model_dir: /models/pens                     device: cpu
batch_size: 1
threshold: 0.5
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from segtune.bundle import read_info
from segtune.errors import RecipeError
from segtune.files import write_text

SUFFIXES = (".yaml", ".yml")
PipelineSchema = Literal["paddlex3", "paddlex3beta"]


@dataclass(frozen=True)
class PipelineConfig:
    """What a pipeline config says; None where it says nothing."""

    model: str  # a local path or models:/ reference
    batch_size: int | None = None
    threshold: float | None = None
    device: str | None = None


def is_pipeline_config(reference: str) -> bool:
    """Tell whether a model reference is a pipeline YAML."""
    path = Path(reference)
    return path.suffix in SUFFIXES and path.is_file()


def settings_of(reference: str) -> PipelineConfig:
    """Return what a pipeline YAML says; of any other model reference, that it is the model.

    Raises:
        RecipeError: The YAML cannot be used.
    """
    if is_pipeline_config(reference):
        return read_pipeline_config(Path(reference))
    return PipelineConfig(reference)


def read_pipeline_config(path: Path) -> PipelineConfig:
    """Read a pipeline config, whose relative model path starts from the working folder.

    Raises:
        RecipeError: The file is not YAML, is of another pipeline, or names no local model.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unusable(path, f"the pipeline config cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise _unusable(path, "the pipeline config holds no keys")
    if "Pipeline" in document:
        section, model_key = _mapping(document, "Pipeline", path), "model"
    else:
        modules = _mapping(document, "SubModules", path)
        section, model_key = _mapping(modules, "InstanceSegmentation", path), "model_dir"
    model = section.get(model_key)
    if not isinstance(model, str):
        raise _unusable(path, f"the pipeline config names no local model in {model_key}")
    return PipelineConfig(
        model,
        _checked(section, "batch_size", int, path),
        _checked(section, "threshold", (int, float), path),
        _checked(section, "device", str, path),
    )


def write_pipeline_config(
    path: Path,
    model_dir: Path,
    *,
    schema: PipelineSchema = "paddlex3",
    threshold: float | None = None,
) -> None:
    """Write a pipeline YAML from which PaddleX makes an instance segmentation pipeline.

    Args:
        path: The YAML file.
        model_dir: Bundle folder; written as an absolute path, as PaddleX reads it from anywhere.
        schema: `paddlex3` for PaddleX 3.0 and later, `paddlex3beta` for its beta versions.
        threshold: Score threshold; default: the bundle's. PaddleX 3.7 demands the key but does
            not apply it, the beta has none.

    Raises:
        BundleError: `model_dir` is no bundle.
        OutputError: The file cannot be written.
    """
    info = read_info(model_dir)
    place = str(model_dir.resolve())
    if schema == "paddlex3beta":
        document: dict[str, Any] = {
            "Global": {"pipeline_name": "instance_segmentation"},
            "Pipeline": {"model": place, "batch_size": 1},
        }
    else:
        module = {
            "module_name": "instance_segmentation",
            "model_name": info.model_name,
            "model_dir": place,
            "batch_size": 1,
            "threshold": info.draw_threshold if threshold is None else threshold,
        }
        document = {
            "pipeline_name": "instance_segmentation",
            "SubModules": {"InstanceSegmentation": module},
        }
    write_text(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _mapping(document: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise _unusable(path, f"the pipeline config has no section {key}")
    return value


def _checked(
    section: dict[str, Any], key: str, kind: type | tuple[type, ...], path: Path
) -> Any | None:
    value = section.get(key)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _unusable(path, f"{key} of the pipeline config cannot be {value!r}")
    return value


def _unusable(path: Path, problem: str) -> RecipeError:
    return RecipeError(
        problem,
        where=str(path),
        remedy="write one with: segtune registry config models:/NAME@ALIAS --save-path FILE",
    )
