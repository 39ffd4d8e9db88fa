"""The format of a folder, where it is unmistakable."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from segtune.errors import DatasetError
from segtune.formats import cvat, labelme, mask_files, yolo
from segtune.formats.coco_files import ROBOFLOW_NAME
from segtune.formats.source_documents import read_json
from segtune.formats.source_paths import files_below

SourceFormat = Literal["labelme", "yolo", "voc", "masks", "cvat", "roboflow", "coco"]
SOURCE_FORMATS: tuple[SourceFormat, ...] = (
    "labelme",
    "yolo",
    "voc",
    "masks",
    "cvat",
    "roboflow",
    "coco",
)


def guess_format(source: Path) -> SourceFormat:
    """Return the format of a dataset.

    Raises:
        DatasetError: There is nothing at `source`, or it looks like none or several of the
            formats.
    """
    if not source.exists():
        raise DatasetError(
            "there is no such dataset",
            where=str(source),
            remedy="check the path; a relative one starts from the working folder",
        )
    found = _of_file(source) if source.is_file() else _of_folder(source)
    if len(found) != 1:
        seen = f"{' and '.join(found)} alike" if found else "none of the known formats"
        raise DatasetError(
            f"the dataset looks like {seen}",
            where=str(source),
            remedy=f"name its format: --from {'|'.join(SOURCE_FORMATS)}",
        )
    return found[0]


def _of_file(source: Path) -> list[SourceFormat]:
    suffix = source.suffix.lower()
    if suffix == ".xml":
        return ["cvat"]
    if suffix in (".yaml", ".yml"):
        return ["yolo"]
    return ["coco"] if suffix == ".json" else []


def _of_folder(source: Path) -> list[SourceFormat]:
    found: list[SourceFormat] = []
    if any(source.glob(ROBOFLOW_NAME)) or any(source.glob(f"*/{ROBOFLOW_NAME}")):
        found.append("roboflow")
    elif any((source / "annotations").glob("instance*.json")):
        found.append("coco")
    if (source / "SegmentationObject").is_dir():
        found.append("voc")
    if cvat.find_xml(source):
        found.append("cvat")
    if mask_files.has_mask_folders(source):
        found.append("masks")
    if yolo.find_yaml(source) is not None:
        found.append("yolo")
    if not found:
        first = next(files_below(source, ".json"), None)
        if first is not None:
            found.append("labelme" if labelme.is_labelme(read_json(first)) else "coco")
    return found
