"""Weights put into a network by name, with an account of every tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segtune.errors import WeightsError
from segtune.weights.files import read_weights_file

if TYPE_CHECKING:
    from paddle.nn import Layer

# The C4 model keeps stage 5 of the backbone in its box head, under this name.
_MOVED_STAGE = "backbone.res5"


@dataclass(frozen=True)
class Reinitialised:
    """A tensor that kept its initial values because the file has it in another shape."""

    name: str
    network_shape: tuple[int, ...]
    file_shape: tuple[int, ...]

    @property
    def is_class_count(self) -> bool:
        """Whether the shapes differ along one axis only, as another class count makes them."""
        pairs = list(zip(self.network_shape, self.file_shape, strict=False))
        same_rank = len(self.network_shape) == len(self.file_shape)
        return same_rank and sum(mine != theirs for mine, theirs in pairs) == 1

    def __str__(self) -> str:
        return f"{self.name} {list(self.file_shape)} -> {list(self.network_shape)}"


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of the network and of the file.

    Attributes:
        taken: Names in the network that received values.
        reinitialised: Tensors of another shape in the file; they keep their initial values.
        missing: Names in the network that the file lacks.
        unexpected: Names in the file that the network lacks.
    """

    taken: tuple[str, ...]
    reinitialised: tuple[Reinitialised, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def summary(self) -> list[str]:
        """Return one line of counts, then one for each group that is not empty."""
        lines = [
            f"weights: {len(self.taken)} tensors taken, "
            f"{len(self.reinitialised)} re-initialised (another shape), "
            f"{len(self.missing)} missing, {len(self.unexpected)} unexpected"
        ]
        groups: dict[str, Sequence[str]] = {
            "re-initialised": [str(tensor) for tensor in self.reinitialised],
            "missing in the file": self.missing,
            "unexpected in the file": self.unexpected,
        }
        lines.extend(f"  {title}: {_shortened(names)}" for title, names in groups.items() if names)
        return lines


def load_weights(
    network: Layer, weights: Mapping[str, NDArray[Any]] | Path, *, strict: bool = False
) -> LoadReport:
    """Put weights into `network` and return what became of every tensor.

    Names match when they are equal, or when the network's name ends in a dot and the file's name;
    the longest such name wins. So a backbone alone finds its place with or without its prefix.
    Values are cast to the network's type. On an error the network is unchanged.

    Args:
        network: Its parameters and buffers are changed in place.
        weights: Arrays by name, or the file that holds them.
        strict: Whether every tensor of the network must be found in its shape, as evaluation
            and export need it. Fine-tuning leaves class-dependent tensors as they are.

    Raises:
        WeightsError: The weights belong to another network, or `strict` is not met.
    """
    where = str(weights) if isinstance(weights, Path) else None
    arrays = read_weights_file(weights) if isinstance(weights, Path) else weights
    tensors = network.state_dict()
    source_of = _match(tensors, arrays, where)
    taken, reinitialised = [], []
    for name, source in source_of.items():
        mine, theirs = tuple(tensors[name].shape), tuple(arrays[source].shape)
        if mine == theirs:
            taken.append(name)
        else:
            reinitialised.append(Reinitialised(name, mine, theirs))
    used = set(source_of.values())
    report = LoadReport(
        taken=tuple(taken),
        reinitialised=tuple(reinitialised),
        missing=tuple(name for name in tensors if name not in source_of),
        unexpected=tuple(name for name in arrays if name not in used),
    )
    _check_kinship(report, where)
    if strict:
        _check_complete(report, where)
    for name in taken:
        _assign(tensors[name], arrays[source_of[name]])
    return report


def _match(
    tensors: Mapping[str, object], arrays: Mapping[str, object], where: str | None
) -> dict[str, str]:
    """Return the name in the file for each name in the network that has one."""
    file_names = {_without_moved_prefix(name): name for name in arrays}
    source_of: dict[str, str] = {}
    claimed_by: dict[str, str] = {}
    for name in tensors:
        source = _longest_suffix(name, file_names)
        if source is None:
            continue
        if source in claimed_by:
            raise WeightsError(
                f"tensor {source} fits both {claimed_by[source]} and {name}",
                where=where,
                remedy="give weights whose names say which one is meant",
            )
        claimed_by[source] = name
        source_of[name] = source
    return source_of


def _longest_suffix(name: str, file_names: Mapping[str, str]) -> str | None:
    """Look `name` up whole, then without its first part, and so on."""
    while name not in file_names:
        _, dot, name = name.partition(".")
        if not dot:
            return None
    return file_names[name]


def _without_moved_prefix(name: str) -> str:
    return name.removeprefix("backbone.") if name.startswith(_MOVED_STAGE) else name


def _check_kinship(report: LoadReport, where: str | None) -> None:
    """Refuse weights of another network, of which little or nothing fits."""
    if not report.taken and not report.reinitialised:
        raise WeightsError(
            "no tensor of the file has a name of this network",
            where=where,
            remedy="give weights that were made for this model",
        )
    differing = report.reinitialised
    unexplained = [tensor for tensor in differing if not tensor.is_class_count]
    if unexplained and len(differing) > len(report.taken):
        raise WeightsError(
            f"the weights were made for another network: {len(differing)} of "
            f"{len(differing) + len(report.taken)} tensors have another shape, "
            f"such as {unexplained[0]}",
            where=where,
            remedy="give weights that were made for this model",
        )


def _check_complete(report: LoadReport, where: str | None) -> None:
    absent = [*report.missing, *(str(tensor) for tensor in report.reinitialised)]
    if absent:
        raise WeightsError(
            f"{len(absent)} tensors of the network are not in the weights: {_shortened(absent)}",
            where=where,
            remedy="give weights of this very model and class count",
        )


def _assign(tensor: Any, array: NDArray[Any]) -> None:
    """Copy `array` into a Paddle tensor, cast to its type."""
    import paddle  # here, so that fetching and reading weights never loads it

    copied = np.array(array)  # a writable one; Paddle shares memory with what it is given
    tensor.set_value(paddle.to_tensor(copied, place="cpu").astype(tensor.dtype))


def _shortened(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
