"""The use case `check-dataset --fix`: a repaired copy of a dataset, every change listed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtune.data.layout import SplitFiles, locate_root
from segtune.data.repair.change import REPAIRS, Change
from segtune.data.repair.plan import RepairPlan, plan_repairs
from segtune.errors import DatasetError, ImageError, OutputError
from segtune.files import atomic_folder
from segtune.progress import Reporter, SilentReporter

_SILENT = SilentReporter()
CHANGES_FILE = "changes.json"


@dataclass(frozen=True)
class DatasetRepair:
    """A copy of a dataset, and what was repaired in it."""

    folder: Path
    """Holds images/, annotations/ and `changes.json`."""
    changes: tuple[Change, ...]

    @property
    def files(self) -> SplitFiles:
        """The annotation files and images of the copy, to be checked for what is left."""
        return locate_root(self.folder)

    def to_json(self) -> dict[str, Any]:
        """Return folder, number of changes of each kind, and every change, as plain values."""
        return {"folder": str(self.folder), **_changes_json(self.changes)}


def repair_dataset(
    files: SplitFiles, folder: Path, *, reporter: Reporter = _SILENT
) -> DatasetRepair:
    """Return what a copy of a dataset was repaired of, after writing it to `folder`.

    The dataset itself is only read. Repaired is what can be without guessing; images that no
    entry names are not copied.

    Raises:
        OutputError: `folder` exists, lies among the images, or cannot be written to; nothing is
            left behind.
        DatasetError: An annotation file is no JSON object.
        ImageError: An image cannot be copied.
    """
    refuse_place(files, folder)
    plan = _plan(files, reporter)
    with atomic_folder(folder) as copy:
        annotations = copy / "annotations"
        annotations.mkdir()
        (copy / "images").mkdir()
        (annotations / "instance_train.json").write_bytes(plan.train)
        (annotations / "instance_val.json").write_bytes(plan.val)
        content = json.dumps(_changes_json(plan.changes), indent=1, ensure_ascii=False)
        (copy / CHANGES_FILE).write_text(f"{content}\n", encoding="utf-8")
        _copy_images(plan, files.images_root, copy / "images", reporter)
    return DatasetRepair(folder, plan.changes)


def refuse_place(files: SplitFiles, folder: Path) -> None:
    """Raise OutputError if a copy cannot be put at `folder`."""
    if folder.exists() or folder.is_symlink():
        raise OutputError(
            f"{folder} exists already",
            where=str(folder),
            remedy="choose another folder, or remove this one yourself",
        )
    if folder.resolve().is_relative_to(files.images_root.resolve()):
        raise OutputError(
            "the copy would lie among the images of the dataset",
            where=str(folder),
            remedy="choose a folder outside the dataset",
        )


def _plan(files: SplitFiles, reporter: Reporter) -> RepairPlan:
    try:
        return plan_repairs(files, reporter=reporter)
    except RecursionError as error:
        raise DatasetError(
            "the JSON is nested too deeply to be COCO",
            where=f"{files.train} or {files.val}",
            remedy="export or download the file again",
        ) from error


def _copy_images(plan: RepairPlan, source: Path, target: Path, reporter: Reporter) -> None:
    with reporter.task("Copying images", total=len(plan.images)) as task:
        for name in plan.images:
            to = target / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if name in plan.turned:
                to.write_bytes(plan.turned[name])
            else:
                _copy(source / name, to)
            task.advance()


def _copy(image: Path, to: Path) -> None:
    try:
        stream = image.open("rb")
    except OSError as error:
        raise ImageError(
            f"cannot read {image.name}: {error.strerror or error}",
            where=str(image),
            remedy="check the permissions",
        ) from error
    with stream, to.open("wb") as copy:
        shutil.copyfileobj(stream, copy)


def _changes_json(changes: tuple[Change, ...]) -> dict[str, Any]:
    counts = Counter(change.repair for change in changes)
    return {
        "counts": {repair: counts[repair] for repair in REPAIRS if repair in counts},
        "changes": [change.to_json() for change in changes],
    }
