"""The errors that segtune raises about its user's input and surroundings.

SegtuneError
├── RecipeError        a recipe file, an override or a command line value
├── DatasetError       annotations or images of a dataset
├── ImageError         one picture that cannot be read
├── WeightsError       weights that are absent, damaged or of another network
├── CheckpointError    a checkpoint or run folder
├── TrainingError      a step that cannot go on
├── BundleError        an exported model folder
├── ExportError        an export that does not agree with its checkpoint
├── DeviceError        a device that is not there
├── DependencyError    a package that is not installed
├── RegistryError      a registered model, version or alias
└── OutputError        a place that cannot be written
"""

from __future__ import annotations


class SegtuneError(Exception):
    """What is wrong, where, and what to do about it.

    Args:
        problem: One sentence without a final stop.
        where: File, line, key or index that the problem is about.
        remedy: What the user can do now.
    """

    def __init__(
        self, problem: str, *, where: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(problem, where, remedy)
        self.problem = problem
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [f"error: {self.problem}"]
        if self.where is not None:
            lines.append(f"where: {self.where}")
        if self.remedy is not None:
            lines.append(f"fix:   {self.remedy}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send their errors through a pipe; keyword-only arguments need this.
        return _rebuild, (type(self), self.problem, self.where, self.remedy)


def _rebuild(
    kind: type[SegtuneError], problem: str, where: str | None, remedy: str | None
) -> SegtuneError:
    return kind(problem, where=where, remedy=remedy)


class RecipeError(SegtuneError):
    """A recipe, an override or a command line value that cannot be used."""


class DatasetError(SegtuneError):
    """Annotations or images of a dataset that cannot be used."""


class ImageError(SegtuneError):
    """A picture that cannot be read."""


class WeightsError(SegtuneError):
    """Weights that are absent, damaged or made for another network."""


class CheckpointError(SegtuneError):
    """A checkpoint or run folder that cannot be used."""


class TrainingError(SegtuneError):
    """A training step whose result makes no sense, such as a loss that is not finite."""


class BundleError(SegtuneError):
    """An exported model folder that cannot be used."""


class ExportError(SegtuneError):
    """An export that does not agree with the checkpoint it was made from."""


class DeviceError(SegtuneError):
    """A device that is not there, or whose name cannot be read."""


class DependencyError(SegtuneError):
    """A package that this command needs and that is not installed."""


class RegistryError(SegtuneError):
    """A registered model, version or alias that cannot be used."""


class OutputError(SegtuneError):
    """A place that cannot be written to."""
