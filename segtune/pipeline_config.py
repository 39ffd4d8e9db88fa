"""A PaddleX pipeline YAML of either generation, read strictly and written.

    paddlex3                                  paddlex3beta

    pipeline_name: instance_segmentation      Global:
    SubModules:                                 pipeline_name: instance_segmentation
      InstanceSegmentation:                   Pipeline:
        model_name: PP-YOLOE_seg-S              model: /models/pens
        model_dir: /models/pens                 batch_size: 1
        batch_size: 1                           device: cpu
        threshold: 0.5

`model_dir: null` means the published weights of `model_name`. segtune also reads `device` in the
first form and `threshold` in the second, where PaddleX has no such key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from segtune import strict_yaml
from segtune.bundle import read_info
from segtune.errors import RecipeError
from segtune.files import write_text
from segtune.strict_yaml import Document, Location, YamlError

SUFFIXES = (".yaml", ".yml")
PIPELINE_NAME = "instance_segmentation"
DEFAULT_MODEL = "Mask-RT-DETR-S"  # of the config that PaddleX ships
MODULE = ("SubModules", "InstanceSegmentation")
PipelineSchema = Literal["paddlex3", "paddlex3beta"]

_RUNTIME_OF_PADDLEX = ("engine", "engine_config", "use_hpip", "hpi_config")


class _Group(NamedTuple):
    """The keys of one group: those that segtune heeds, and those that only PaddleX knows."""

    heeded: tuple[str, ...]
    foreign: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        return self.heeded + self.foreign


_GROUPS: dict[PipelineSchema, dict[Location, _Group]] = {
    "paddlex3": {
        (): _Group(("pipeline_name", "SubModules", "device"), (*_RUNTIME_OF_PADDLEX, "Serving")),
        MODULE[:1]: _Group(MODULE[1:]),
        MODULE: _Group(
            ("module_name", "model_name", "model_dir", "batch_size", "threshold", "device"),
            _RUNTIME_OF_PADDLEX,
        ),
    },
    "paddlex3beta": {
        (): _Group(("Global", "Pipeline"), ("Serving",)),
        ("Global",): _Group(("pipeline_name",), ("input",)),
        ("Pipeline",): _Group(
            ("model", "batch_size", "device", "threshold"), ("pp_option", "hpi_params")
        ),
    },
}


@dataclass(frozen=True)
class PipelineConfig:
    """What a pipeline config says; None where it says nothing.

    Attributes:
        model: A path, a zoo name or a `models:/` reference.
        batch_size: Images per forward pass.
        threshold: Scores of instances are above it.
        device: `cpu`, `gpu:0`, ...
        unheeded: Dotted keys that are PaddleX's own and say nothing to segtune.
    """

    model: str
    batch_size: int | None = None
    threshold: float | None = None
    device: str | None = None
    unheeded: tuple[str, ...] = ()


DEFAULT = PipelineConfig(DEFAULT_MODEL, batch_size=1, threshold=0.5)
"""What `instance_segmentation` means where no file is given."""


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


def find_pipeline(name_or_path: str) -> PipelineConfig:
    """Return the pipeline of a name, or of a YAML file; what ends in .yaml or .yml is a file.

    Raises:
        RecipeError: There is no such pipeline or file, or the file cannot be used.
    """
    if Path(name_or_path).suffix in SUFFIXES:
        return read_pipeline_config(Path(name_or_path))
    if name_or_path == PIPELINE_NAME:
        return DEFAULT
    near = difflib.get_close_matches(name_or_path, [PIPELINE_NAME])
    guess = f"did you mean {PIPELINE_NAME}? " if near else ""
    raise RecipeError(
        f"there is no pipeline {name_or_path!r}",
        where=name_or_path,
        remedy=f"{guess}give {PIPELINE_NAME} or a YAML file, such as `segtune pipeline config` "
        "writes; a model alone is named by --model",
    )


def read_pipeline_config(path: Path) -> PipelineConfig:
    """Read a pipeline config, whose relative model path starts from the working folder.

    Raises:
        RecipeError: The file is not YAML, is of another pipeline, names no model, or has keys
            that no such config has; all faults at once, each with its line.
    """
    try:
        document = strict_yaml.read(path.read_text(encoding="utf-8-sig"))
    except YamlError as error:
        line = "" if error.line is None else f", line {error.line}"
        raise _unusable(f"{path}{line}", f"it is not YAML: {error.problem}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(str(path), f"it cannot be read: {error}") from error
    return _Reader(document, str(path)).config()


def config_from_mapping(tree: Mapping[str, Any]) -> PipelineConfig:
    """Return what a pipeline config says that was read already, as `create_pipeline(config=)`.

    Raises:
        RecipeError: As `read_pipeline_config`.
    """
    return _Reader(Document(value=dict(tree)), "the config given").config()


class _Reader:
    """Turns one document into a PipelineConfig and gathers what is wrong with it."""

    def __init__(self, document: Document, source: str) -> None:
        self.tree = document.value
        self.lines = document.lines
        self.source = source
        self.faults = [(line, f"{_dotted(at)} {problem}") for at, line, problem in document.faults]
        if not isinstance(self.tree, dict) or not self.tree:
            raise _unusable(source, "it holds no keys")
        is_beta = any(key in self.tree for key in _GROUPS["paddlex3beta"][()].heeded)
        self.schema: PipelineSchema = "paddlex3beta" if is_beta else "paddlex3"
        self.groups = _GROUPS[self.schema]

    def config(self) -> PipelineConfig:
        self._check_pipeline_name()
        unheeded = self._check_keys()
        model = self._model()
        section = ("Pipeline",) if self.schema == "paddlex3beta" else MODULE
        batch_size = self._number((*section, "batch_size"), int)
        if batch_size is not None and batch_size < 1:
            self._fault((*section, "batch_size"), f"should be at least 1, not {batch_size}")
        threshold = self._number((*section, "threshold"), (int, float))
        if threshold is not None and not 0 <= threshold <= 1:
            self._fault((*section, "threshold"), f"should be from 0 to 1, not {threshold}")
        device = self._text((*section, "device"))
        if device is None and self.schema == "paddlex3":
            device = self._text(("device",))
        if model is None or self.faults:
            raise self._error()
        return PipelineConfig(model, batch_size, threshold, device, unheeded)

    def _check_pipeline_name(self) -> None:
        at = ("pipeline_name",) if self.schema == "paddlex3" else ("Global", "pipeline_name")
        name = self._value(at)
        if name is None and isinstance(self.tree.get("SubModules"), dict):
            self._fault(at, f"is missing; write {PIPELINE_NAME}")
        elif name is not None and name != PIPELINE_NAME:
            problem = f"is of another pipeline, {name!r}; segtune runs {PIPELINE_NAME} only"
            raise _unusable(self._place(at), f"{_dotted(at)} {problem}")

    def _check_keys(self) -> tuple[str, ...]:
        """Note groups that are none and keys that nobody knows; return those that are not ours."""
        unheeded = []
        for group, keys in self.groups.items():
            values = self._value(group)
            if values is None:
                continue
            if not isinstance(values, dict):
                self._fault(group, f"should be a group of keys, not {values!r}")
                continue
            for name in values:
                if name in keys.foreign:
                    unheeded.append(_dotted((*group, name)))
                elif name not in keys.heeded:
                    self._fault((*group, name), self._unknown(str(name), keys.known))
        return tuple(unheeded)

    def _unknown(self, name: str, known: tuple[str, ...]) -> str:
        near = difflib.get_close_matches(name, known, n=1)
        elsewhere = [
            _dotted((*group, name)) for group, keys in self.groups.items() if name in keys.heeded
        ]
        guesses = near or elsewhere
        question = f"; did you mean {guesses[0]}?" if guesses else f"; known: {', '.join(known)}"
        return f"is not a key of pipeline configs{question}"

    def _model(self) -> str | None:
        if self.schema == "paddlex3beta":
            at: Location = ("Pipeline", "model")
            model = self._text(at)
        else:
            at = (*MODULE, "model_dir")
            model = self._text(at)
            if model is None:
                at = (*MODULE, "model_name")
                model = self._text(at)
        if model is None and not self.faults:
            self._fault(at, "is missing; name a model of `segtune models`, or the place of one")
        return model

    def _text(self, at: Location) -> str | None:
        value = self._value(at)
        if value is None or value in ("", "None"):  # PaddleX reads Python's word as null, too
            return None
        if not isinstance(value, str):
            self._fault(at, f"should be text, not {value!r}")
            return None
        return value

    def _number(self, at: Location, kind: type | tuple[type, ...]) -> Any | None:
        value = self._value(at)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            self._fault(at, f"should be a {'whole ' if kind is int else ''}number, not {value!r}")
            return None
        return value

    def _value(self, at: Location) -> Any | None:
        value: Any = self.tree
        for part in at:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _fault(self, at: Location, problem: str) -> None:
        self.faults.append((self._line(at), f"{_dotted(at)} {problem}"))

    def _line(self, at: Location) -> int:
        """Return the line of a key, or of the innermost group around it that is there; 0: none."""
        return next(
            (self.lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in self.lines), 0
        )

    def _place(self, at: Location) -> str:
        line = self._line(at)
        return f"{self.source}, line {line}" if line else self.source

    def _error(self) -> RecipeError:
        faults = sorted(self.faults, key=lambda fault: fault[0])
        if len(faults) == 1:
            line, problem = faults[0]
            return _unusable(f"{self.source}, line {line}" if line else self.source, problem)
        shown = "".join(
            f"\n  line {line}: {problem}" if line else f"\n  {problem}" for line, problem in faults
        )
        return _unusable(self.source, f"it has {len(faults)} faults{shown}")


def pipeline_yaml(
    model: str,
    *,
    model_name: str | None = None,
    schema: PipelineSchema = "paddlex3",
    batch_size: int = 1,
    threshold: float | None = None,
    device: str | None = None,
) -> str:
    """Return a pipeline YAML.

    Args:
        model: Place of a model, or the zoo name of one whose published weights are meant.
        model_name: Zoo name of the model at that place; None where `model` is such a name.
        schema: `paddlex3` for PaddleX 3.0 and later, `paddlex3beta` for its beta versions.
        batch_size: Images per forward pass.
        threshold: Score threshold; default: 0.5. The beta form has none.
        device: Where to compute; default: the key is left out. PaddleX 3 passes over the key.

    Raises:
        RecipeError: A threshold is given for the beta form, which PaddleX would refuse.
    """
    if schema == "paddlex3beta":
        if threshold is not None:
            raise RecipeError(
                "a config for PaddleX's beta versions has no threshold",
                where="--schema paddlex3beta",
                remedy="leave --threshold out, or write the schema paddlex3",
            )
        section: dict[str, Any] = {"model": model, "batch_size": batch_size}
        if device is not None:
            section["device"] = device
        return strict_yaml.dump({"Global": {"pipeline_name": PIPELINE_NAME}, "Pipeline": section})
    module = {
        "module_name": PIPELINE_NAME,
        "model_name": model_name or model,
        "model_dir": None if model_name is None else model,
        "batch_size": batch_size,
        "threshold": 0.5 if threshold is None else threshold,
    }
    document: dict[str, Any] = {"pipeline_name": PIPELINE_NAME}
    if device is not None:
        document["device"] = device
    return strict_yaml.dump(document | {"SubModules": {"InstanceSegmentation": module}})


def write_pipeline_config(
    path: Path,
    model_dir: Path,
    *,
    schema: PipelineSchema = "paddlex3",
    threshold: float | None = None,
) -> None:
    """Write a pipeline YAML from which PaddleX makes a pipeline of a bundle.

    Args:
        path: The YAML file.
        model_dir: Bundle folder; written as an absolute path, as PaddleX reads it from anywhere.
        schema: As `pipeline_yaml` takes it.
        threshold: Score threshold; default: the bundle's. PaddleX 3.7 demands the key but does
            not apply it, the beta has none.

    Raises:
        BundleError: `model_dir` is no bundle.
        OutputError: The file cannot be written.
        RecipeError: A threshold is given for the beta form.
    """
    info = read_info(model_dir)
    if threshold is None and schema == "paddlex3":
        threshold = info.draw_threshold
    place = str(model_dir.resolve())
    text = pipeline_yaml(place, model_name=info.model_name, schema=schema, threshold=threshold)
    write_text(path, text)


def _dotted(at: Location) -> str:
    return ".".join(map(str, at)) or "the config"


def _unusable(where: str, problem: str) -> RecipeError:
    return RecipeError(
        f"this pipeline config cannot be used: {problem}",
        where=where,
        remedy="write one with `segtune pipeline config --model MODEL --save-path FILE`",
    )
