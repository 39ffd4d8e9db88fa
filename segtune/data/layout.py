"""Where the files of a dataset lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segtune.errors import DatasetError
from segtune.recipe import DataRecipe


@dataclass(frozen=True)
class SplitFiles:
    """The annotation files of both splits and the folder that their file names are relative to."""

    train: Path
    val: Path
    images_root: Path


def locate_root(root: Path) -> SplitFiles:
    """Return the files of a root with images/ and annotations/instance_{train,val}.json.

    Raises:
        DatasetError: Something of it is missing; all that is missing is named.
    """
    if root.is_file():
        raise DatasetError(
            "a dataset is a folder, this is a file",
            where=str(root),
            remedy="give the folder that holds images/ and annotations/",
        )
    if not root.is_dir():
        raise DatasetError(
            "there is no such dataset folder",
            where=str(root),
            remedy="check the path; a relative one starts from the working folder",
        )
    annotations = root / "annotations"
    return _all_there(
        SplitFiles(
            train=annotations / "instance_train.json",
            val=annotations / "instance_val.json",
            images_root=root / "images",
        )
    )


def locate(data: DataRecipe, base: Path) -> SplitFiles:
    """Return the files that a recipe means.

    Args:
        data: The recipe's section; it has `root`, or the other three paths, or none.
        base: Folder that relative paths start from.

    Raises:
        DatasetError: The recipe has none, or a path leads nowhere.
    """
    if data.root is not None:
        return locate_root(base / data.root.expanduser())
    if data.train is None or data.val is None or data.images is None:
        raise DatasetError(
            "the recipe does not say where the dataset lies",
            where="recipe, data",
            remedy="give data.root, or data.train, data.val and data.images",
        )
    train, val, images_root = (
        base / path.expanduser() for path in (data.train, data.val, data.images)
    )
    return _all_there(SplitFiles(train, val, images_root))


def _all_there(files: SplitFiles) -> SplitFiles:
    absent = [str(path) for path in (files.train, files.val) if not path.is_file()]
    if not files.images_root.is_dir():
        absent.append(f"{files.images_root}/")
    if absent:
        raise DatasetError(
            f"{len(absent)} of 3 parts of the dataset are missing",
            where=", ".join(absent),
            remedy=(
                "arrange it as images/ and annotations/instance_{train,val}.json in one folder, "
                "or give data.train, data.val and data.images"
            ),
        )
    return files
