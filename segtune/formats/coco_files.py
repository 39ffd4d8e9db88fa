"""The COCO files of a dataset, whatever tool laid it out, and where their pictures may lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from segtune.errors import DatasetError
from segtune.formats.annotated import SPLITS, Split, split_of_word

ROBOFLOW_NAME = "_annotations.coco.json"


@dataclass(frozen=True)
class CocoFile:
    """One annotation file."""

    path: Path
    split: Split | None
    root: Path
    """No picture outside this folder is read."""
    image_folders: tuple[Path, ...]
    """What `file_name` may be relative to; the first that has the picture counts."""


def find_coco_files(source: Path, images: Path | None = None) -> list[CocoFile]:
    """Return the COCO files of a dataset, training split first.

    Args:
        source: An annotation file; or a folder with `annotations/instance*.json` and `images`,
            or with Roboflow's `train/_annotations.coco.json`.
        images: The folder of the pictures, where it is not the usual one.

    Raises:
        DatasetError: There is none.
    """
    if source.is_file():
        found = [_beside(source, None, images)]
    else:
        found = _roboflow_files(source, images) or [
            _in_layout(source, path, images) for path in _in_annotations(source)
        ]
    if not found:
        raise DatasetError(
            "there is no COCO annotation file",
            where=str(source),
            remedy="give a JSON file, or the folder that holds annotations/ and images/",
        )
    order = [*SPLITS, None]
    return sorted(found, key=lambda file: (order.index(file.split), file.path.name))


def _roboflow_files(source: Path, images: Path | None) -> list[CocoFile]:
    return [
        CocoFile(path, split_of_word(path.parent.name), source, (images or path.parent,))
        for path in sorted([*source.glob(ROBOFLOW_NAME), *source.glob(f"*/{ROBOFLOW_NAME}")])
    ]


def _in_annotations(source: Path) -> list[Path]:
    files = sorted((source / "annotations").glob("*.json")) or sorted(source.glob("*.json"))
    return [path for path in files if path.name.startswith("instance")] or files


def _in_layout(source: Path, path: Path, images: Path | None) -> CocoFile:
    words = re.split(r"[_\-.]", path.stem)
    split = next((found for found in map(split_of_word, reversed(words)) if found), None)
    if images is not None:
        return CocoFile(path, split, images, (images,))
    folders = [source / "images", source / "images" / words[-1], source / words[-1], source]
    return CocoFile(path, split, source, tuple(folders))


def _beside(path: Path, split: Split | None, images: Path | None) -> CocoFile:
    if images is not None:
        return CocoFile(path, split, images, (images,))
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    return CocoFile(path, split, root, (root / "images", path.parent, root))
